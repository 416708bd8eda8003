"""The benchmark of the service: what needs no peer, and no wrk."""

import asyncio
import base64
import gc
import json

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from racing import serving_tables
from racing.rows import read_rows
from racing.serving_annif import suggested
from racing.serving_clients import Client, LostError, OpenLoop, answers, request_of
from racing.serving_faults import FaultRun, Faults, counted, fresh_place, memory_figures
from racing.serving_fuzz import failures_of
from racing.serving_load import bodies, parsed
from racing.serving_quality import Documents, precision
from racing.serving_systems import Served, ServingError, served_systems
from racing.serving_tables import best, key_of, latest, serving_section
from serving_models import documents, topics
from serving_tools import finished

LOAD = {
    "kind": "load", "dataset": "d", "system": "ramify", "identity": "i", "machine": "m", "workers": 1, "texts": 1,
    "connections": 8, "requests_per_s": 3000.0, "p50_ms": 2.0, "p99_ms": 4.0, "errors": {}, "busy": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for name, seed in (("first", 0), ("second", 5)):
        topics(seed).save(folder / name)
    return [folder / "first", folder / "second"]


class Answering(asyncio.Protocol):
    """Answers each request after a pause, with the number of its bytes; one that says "leave" gets no answer."""

    pause = 0.0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if b"leave" in data:
            self.transport.close()
            return
        body = str(len(data.partition(b"\r\n\r\n")[2])).encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        pause = self.pause + 0.02 * (int(body) % 2)  # so that answers do not come in the order of the requests
        asyncio.get_running_loop().call_later(pause, self.transport.write, answer)


def with_server(work, pause=0.0):
    """The result of a coroutine function of a port."""

    async def run():
        kind = type("Server", (Answering,), {"pause": pause})
        server = await asyncio.get_running_loop().create_server(kind, "127.0.0.1", 0)
        async with server:
            return await work(server.sockets[0].getsockname()[1])

    return finished(run())


def test_bodies_have_the_texts_in_turn():
    assert [json.loads(body) for body in bodies(["a", "b", "c"], 1, 4)] == [{"text": one} for one in "abca"]
    assert [json.loads(body) for body in bodies(["a", "b", "c"], 2, 2)] == [
        {"texts": ["a", "b"]},
        {"texts": ["c", "a"]},
    ]


def test_answers_come_in_the_order_of_the_requests():
    replies = with_server(lambda port: answers(port, [b"x" * size for size in range(1, 20)], connections=3))
    assert [reply.body for reply in replies] == [str(size).encode() for size in range(1, 20)]
    assert {reply.status for reply in replies} == {200}


def test_a_connection_that_is_closed_without_an_answer_is_an_error():
    async def ask(port):
        client = await Client.connect(port)
        with pytest.raises(LostError):
            await client.ask(request_of(b"leave"))

    with_server(ask)


def test_the_latency_of_an_open_loop_counts_from_the_intended_time():
    figures = with_server(lambda port: OpenLoop(port, [b"ab"], rate=200, seconds=0.5).run(), pause=0.05)
    assert 50 <= figures["requests"] <= 170
    assert figures["statuses"] == {"200": figures["requests"]}
    assert figures["p50_ms"] >= 50
    assert figures["p50_ms"] <= figures["p90_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    lost = with_server(lambda port: OpenLoop(port, [b"leave"], rate=100, seconds=0.2).run())
    assert lost["statuses"] == {"unanswered": lost["requests"]}


def test_the_output_of_wrk_is_read():
    line = 'RESULT {"requests": 50, "us": 2000000, "p50": 1500, "p90": 2000, "p99": 3000, "max": 4000, '
    figures = parsed(f'Running\n{line}"connect": 0, "read": 2, "write": 0, "status": 0, "timeout": 0}}\n')
    assert figures["requests_per_s"] == 25.0
    assert (figures["p50_ms"], figures["p99_ms"], figures["max_ms"]) == (1.5, 3.0, 4.0)
    assert figures["errors"] == {"read": 2}


def test_precision_is_that_of_documents_with_a_known_label(tmp_path):
    import gzip

    for name, rows in {
        "train": [("a", ["x", "y"])],
        "test": [("b", ["x", "new"]), ("c", ["new"]), ("d", ["x", "y"])],
    }.items():
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text, "labels": labels}) + "\n" for text, labels in rows)
    found = Documents.read(tmp_path)
    assert (found.texts, found.labels) == (["b", "d"], [{"x"}, {"x", "y"}])
    figures = precision([["x", "y", "new"], ["z", "y", "x"]], found)
    assert figures == {"documents": 2, "P@1": 50.0, "P@3": 50.0, "P@5": 30.0}


def test_suggestions_of_annif_are_read():
    output = "Suggestions for 0.txt\n<http://a/1>\tFirst\t0.5000\n<http://a/2>\tSecond\t0.2500\nSuggestions for 1.txt\n"
    assert suggested(output) == [{"First": 0.5, "Second": 0.25}, {}]


def test_memory_is_flat_if_the_last_quarter_is_not_above_the_first():
    assert memory_figures([1.0, 2.0]) == {}
    figures = memory_figures([100.0, 100.0, 180.0, 150.0, 150.0, 104.0, 104.0, 104.0])
    assert figures == {
        "start_mb": 100.0, "first_quarter_mb": 100.0, "last_quarter_mb": 104.0, "most_mb": 180.0, "flat": True,
    }  # fmt: skip
    assert not memory_figures([100.0, 100.0, 100.0, 106.0])["flat"]


def test_requests_are_counted_by_status():
    metrics = (
        'ramify_requests_total{route="/v1/tag",status="200"} 3.0\nramify_requests_total{route="x",status="200"} 1.0\n'
    )
    metrics += 'ramify_requests_total{route="/v1/tag",status="503"} 2.0\nramify_request_seconds_count{route="x"} 4.0\n'
    assert counted(metrics) == {"200": 4, "503": 2}


def test_failures_of_schemathesis_are_read(tmp_path):
    failure = {"operation": "GET /a", "title": "Server error", "message": "m"}
    recorder = {
        "checks": {"1": [{"name": "good", "status": "success"}], "2": [
            {"name": "not_a_server_error", "status": "failure", "failure_info": {"failure": failure}}
        ]},
        "interactions": {"2": {
            "request": {"method": "GET", "uri": "http://a", "body": {"$base64": base64.b64encode(b"{}").decode()}},
            "response": {"status_code": 500},
        }},
    }  # fmt: skip
    report = tmp_path / "r.ndjson"
    report.write_text(json.dumps({"Initialize": {}}) + "\n" + json.dumps({"ScenarioFinished": {"recorder": recorder}}))
    [found] = failures_of(report)
    assert found["check"] == "not_a_server_error"
    assert (found["request"], found["body"], found["status"]) == ("GET http://a", "{}", 500)


def test_faults_of_a_running_service(models, tmp_path):
    place = fresh_place(models[0], tmp_path / "model")
    system = served_systems()["ramify"]
    with system.serving(place, 2) as service:
        assert len(service.model_pids()) == 2
        assert service.memory_bytes() > 1e7
        assert service.cpu_seconds() > 0
        faults = Faults(
            seconds=8, kill_every=3, replace_every=2.5, sample_every=0.5, steady=2, batches=1, leaving=1, oversized=1
        )
        run = FaultRun(service, place, models, documents(50, 1)[0], faults)
        found = finished(run.run())
        assert service.stop() == 0
    assert (found["unanswered"], found["oversized_unanswered"], found["wrong"]) == (0, 0, 0)
    assert set(found["statuses"]["single"]) == set(found["statuses"]["batch"]) == {"200"}
    assert set(found["statuses"]["oversized, declared"]) == set(found["statuses"]["oversized, chunked"]) == {"413"}
    assert set(found["statuses"]["oversized, texts"]) == {"422"}
    assert found["kills"] == 2
    assert found["replacements"] >= 2
    assert len(found["versions"]) == 2
    assert found["counted"]["200"] >= sum(found["statuses"]["single"].values())
    assert found["ready"]
    assert (service.left, service.pids()) == (0, [])


def test_a_service_that_does_not_start_is_named(tmp_path):
    service = served_systems()["ramify"].serving(tmp_path / "nothing", 1)
    with pytest.raises(ServingError, match=r"the service is not ready: .*nothing"), service:
        pass


def test_a_row_is_measured_again_if_anything_that_it_depends_on_changes():
    assert key_of(LOAD) == key_of(dict(LOAD) | {"p50_ms": 9.0})
    for name in ("kind", "dataset", "system", "identity", "machine", "workers", "texts", "connections"):
        assert key_of(LOAD) != key_of(LOAD | {name: "other"})
    gc.collect()  # CPython 3.11 fails where finalizers of other tests' objects run while it parses a source (gh-106905)
    names = {system.identity() for system in served_systems().values()}
    assert len(names) == len(served_systems())
    assert Served("libpecos", "serve_libpecos.py", "2", None).identity() not in names


def test_quiet_rows_of_the_last_identity_count():
    busy, quiet, old = LOAD | {"busy": True, "p50_ms": 9.0}, dict(LOAD), LOAD | {"identity": "old"}
    assert latest([old, quiet, busy]) == [quiet]
    assert latest([busy, quiet]) == [quiet]
    assert latest([old]) == [old]
    failing = LOAD | {"requests_per_s": 9000.0, "errors": {"status": 3}}
    assert best([failing, quiet]) == quiet
    assert best([]) is None


def test_the_section_has_the_better_number_of_workers(tmp_path, monkeypatch):
    rows = tmp_path / "serving.jsonl"
    monkeypatch.setattr(serving_tables, "SERVING", rows)
    rows.write_text('{"kind": "page", "machine": "a", "first_paint_ms": 90.0}\n')
    assert serving_section() == ""
    peer = LOAD | {"system": "libpecos", "requests_per_s": 1000.0, "p50_ms": 7.0, "p99_ms": 20.0}
    written = [LOAD, peer, peer | {"workers": 2, "requests_per_s": 1500.0, "busy": True}]
    written.append(LOAD | {"system": "nothing", "requests_per_s": 70_000.0, "p50_ms": 0.1, "p99_ms": 0.3})
    quality = {"kind": "quality", "documents": 9, "P@1": 50.0, "P@3": 40.0, "P@5": 30.0, "equal_alone": [5, 6]}
    head = {name: LOAD[name] for name in ("dataset", "system", "identity", "machine")}
    written.append(head | quality)
    times = {"p50_ms": 1.0, "p90_ms": 2.0, "p99_ms": 3.0, "max_ms": 4.0, "late_ms": 0.5}
    latency = {"kind": "latency", "workers": 1, "rate": 500.0, "statuses": {"200": 5000}, "cores": {"service": 0.5}}
    written.append(head | latency | times)
    fuzz = {"kind": "fuzz", "cases": 10, "requests": 12, "statuses": {"200": 12}, "unexpected_5xx": 0, "failures": {}}
    written.append(head | fuzz)
    faults = {
        "kind": "faults", "workers": 2, "minutes": 10.0, "kills": 29, "replacements": 19, "sent": 100, "unanswered": 0,
        "statuses": {"single": {"200": 100}}, "wrong": 0, "versions": {"a": 1, "b": 2}, "latency_ms": [1.0, 2.0, 3.0],
        "memory": memory_figures([100.0] * 8),
    }  # fmt: skip
    written.append(head | faults)
    written.append(head | {"kind": "annif", "annif": "1.4.3", "equal": 50, "documents": 50})
    page = {"first_paint_ms": 90.0, "first_paint_ms_range": [80.0, 99.0], "floor_ms": 40.0, "ready_ms": 200.0}
    written.append(
        {"kind": "page", "browser": "C 1", "loads": 9, "files": 3.0, "kilobytes": 7.0, "machine": "a", **page}
    )
    rows.write_text("".join(json.dumps(row) + "\n" for row in written))
    assert len(read_rows(rows)) == len(written)
    lines = serving_section().splitlines()
    assert lines[0] == "## Serving"
    assert "| ramify | 50.00 | 40.00 | 30.00 | 5 of 6 |" in lines
    assert "| ramify | 3,000 2.00×; 2.00 / 4.00 (1) |" in lines
    assert "| libpecos | 1,500; 7.00 / 20.0 (2) \\* |" in lines
    assert "| nothing | 70,000; 0.100 / 0.300 |" in lines
    assert "| ramify (1) | 500 | 1.00 | 2.00 | 3.00 | 4.00 | 0.500 | 0.500 | 200: 5,000 |" in lines
    assert any(line.startswith("Faults, 10 minutes with 2 workers: 29 processes killed") for line in lines)
    assert any("12 (200: 12); 5xx other than 503: 0. Failed checks: none." in line for line in lines)
    assert lines[-3].startswith("Annif 1.4.3 with `backend=http`")
    assert "first paint after 90.0 ms (80 to 99), a page of one line after 40.0 ms" in lines[-1]
