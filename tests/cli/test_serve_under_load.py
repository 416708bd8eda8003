"""``ramify serve`` as a process: its models are killed, replaced and damaged while clients send requests."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")

from serve_process import Load, Running, until

from ramify import Tagger
from ramify.serve.hosting import version_of
from serving_models import topics

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def saved_topics(tmp_path_factory):
    folder = tmp_path_factory.mktemp("topics")
    for seed in range(2):
        topics(seed).save(folder / str(seed))
    return folder


@pytest.fixture(scope="module")
def place(saved_topics, tmp_path_factory):
    return shutil.copytree(saved_topics / "0", tmp_path_factory.mktemp("served") / "topics")


@pytest.fixture(scope="module")
def service(place):
    with Running([place, "--workers", 2], place.parent) as running:
        yield running


def another(saved_topics, version):
    """A model of another version."""
    return next(one for one in (saved_topics / "0", saved_topics / "1") if version_of(one) != version)


def in_background(work):
    """A thread, and the list that gets its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def test_no_request_is_lost_when_processes_are_killed(service):
    with Load(service) as load:
        for _ in range(3):
            killed = until(lambda: len(service.workers()) == 2 and service.workers(), "two processes")[0]
            os.kill(killed, signal.SIGKILL)
            until(lambda gone=killed: gone not in service.workers(), "the end of a process")
            load.more()
    assert {status for status, _ in load.answers} == {200}
    assert "ended with code -9; a new one is started" in "".join(service.lines)


def test_a_replaced_model_is_used_without_a_dropped_request(service, place, saved_topics):
    with Load(service) as load:
        before = version_of(place)
        assert load.versions() == {before}
        Tagger.load(another(saved_topics, before)).save(place)
        after = version_of(place)
        assert after != before
        until(lambda: load.versions() == {after}, "the new version")
        load.more()
    assert {status for status, _ in load.answers} == {200}
    assert {version for _, version in load.answers} == {before, after}


def test_an_earlier_version_goes_on_when_the_directory_is_damaged(service, place, saved_topics):
    before = service.tag()[1]["version"]
    with Load(service) as load:
        (place / "new").write_text("{", "utf-8")
        (place / "new").replace(place / "model.json")
        until(lambda: any("the earlier one is used" in line for line in service.lines), "a line of the log")
        killed = service.workers()
        for pid in killed:  # the processes that follow have never seen the good version
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(service.workers()) == 2 and not set(killed) & set(service.workers()), "new processes")
        load.more()
        assert load.versions() == {before}
        other = another(saved_topics, before)
        shutil.copytree(other, place, dirs_exist_ok=True)
        until(lambda: load.versions() == {version_of(other)}, "the repaired model")
    assert {status for status, _ in load.answers} == {200}


def one_and_two_waiting(running):
    """Three requests to a stopped process: one in it, and two in the queue."""
    first = in_background(running.tag)
    time.sleep(1)  # requests that arrive together go to the process together
    others = [in_background(running.tag) for _ in range(2)]
    until(lambda: running.waiting() == 2, "one request in a process and two in the queue")
    return [first, *others]


def test_requests_are_answered_after_sigterm(saved_topics):
    with Running([saved_topics / "0", "--workers", 1], saved_topics) as running:
        [pid] = running.workers()
        os.kill(pid, signal.SIGSTOP)
        clients = one_and_two_waiting(running)
        running.process.terminate()
        until(lambda: refuses(running), "a closed port")
        os.kill(pid, signal.SIGCONT)
        for thread, _ in clients:
            thread.join()
        code, lines = running.stop()
        left = running.workers()
    assert [result[0] for _, [result] in clients] == [200] * 3
    assert (code, lines, left) == (0, "", [])


def refuses(running):
    try:
        running.connection().connect()
    except ConnectionRefusedError:
        return True
    return False


def test_requests_of_a_killed_process_are_answered_by_the_next_one(saved_topics):
    with Running([saved_topics / "0", "--workers", 1], saved_topics) as running:
        [pid] = running.workers()
        os.kill(pid, signal.SIGSTOP)
        clients = one_and_two_waiting(running)
        os.kill(pid, signal.SIGKILL)
        for thread, _ in clients:
            thread.join()
    assert [result[0] for _, [result] in clients] == [200] * 3


def test_the_example_client(service):
    example = Path(__file__).parents[2] / "examples" / "service_client.py"
    assert sum(bool(line.strip()) for line in example.read_text("utf-8").splitlines()) <= 15
    command = [
        sys.executable,
        example,
        f"http://127.0.0.1:{service.port}",
        "train track station",
        "river statute permit",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("train track station [('Railways', ")
    assert second.startswith("river statute permit [('Water law', ")


def test_tls(saved_topics, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    arguments = [saved_topics / "0", "--workers", 1, "--certificate", "cert.pem", "--key", "key.pem"]
    with Running(arguments, tmp_path, ssl.create_default_context(cafile=tmp_path / "cert.pem")) as running:
        status, answer = running.tag()
        code, lines = running.stop()
    assert status == 200
    assert answer["documents"][0]["labels"][0]["label"] == "Water law"
    assert (code, lines) == (0, "")
