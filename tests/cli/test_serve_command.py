"""``ramify serve``: a real process on a free port, and refusals with one sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from cli_tools import ramify_process

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")


def send(address, body, key=""):
    request = Request(f"{address}/v1/tag", json.dumps(body).encode(), {"Authorization": f"Bearer {key}"})
    with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)


def test_the_service_starts_answers_and_stops(model, tmp_path):
    (tmp_path / "keys").write_text("secret\n", "utf-8")
    arguments = ["serve", f"topics={model}", "--port", "0", "--api-key-file", "keys"]
    process = ramify_process(arguments, tmp_path)
    try:
        line = process.stderr.readline()
        assert line.startswith("serving topics and a page on http://127.0.0.1:")
        address = line.split()[-1]
        answer = send(address, {"text": "river lake", "k": 1}, "secret")
        with pytest.raises(HTTPError) as error:
            send(address, {"text": "river lake"}, "wrong")
        error.value.close()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert answer["model"] == "topics"
    assert answer["documents"][0]["labels"][0]["label"].startswith("water")
    assert error.value.code == 401
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server(number):
    from ramify.cli.serve import _server

    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        server = _server(None)
        assert not server.should_exit
        signal.raise_signal(number)
        assert server.should_exit
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_missing_and_damaged_models_are_refused(refused, model, tmp_path):
    assert "nowhere" in refused("serve", tmp_path / "nowhere", "--port", 0)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "model.json").write_text("{", "utf-8")
    assert "damaged" in refused("serve", tmp_path / "damaged", "--port", 0)
    assert "two models" in refused("serve", model, model, "--port", 0)
    assert "name of a model" in refused("serve", f"a b={model}", "--port", 0)


def test_a_port_in_use_is_refused(refused, model):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port}" in refused("serve", model, "--port", port)
    assert "--port" in refused("serve", model, "--port", 65536)
    assert "--host" in refused("serve", model, "--host", "256.256.256.256", "--port", 0)


def test_bad_key_files_are_refused(refused, model, tmp_path):
    assert "absent" in refused("serve", model, "--api-key-file", tmp_path / "absent")
    (tmp_path / "empty").write_text("\n", "utf-8")
    assert "no API key" in refused("serve", model, "--api-key-file", tmp_path / "empty")


def test_bad_certificates_are_refused(refused, model, tmp_path):
    (tmp_path / "text.pem").write_text("no certificate\n", "utf-8")
    absent = tmp_path / "absent.pem"
    for certificate, key, part in [
        (absent, tmp_path / "text.pem", "absent.pem: No such file or directory: give a readable PEM file"),
        (tmp_path / "text.pem", absent, "absent.pem: No such file or directory: give a readable PEM file"),
        (tmp_path, tmp_path / "text.pem", "Is a directory"),
        (tmp_path / "text.pem", tmp_path / "text.pem", "are no certificate with its key"),
    ]:
        assert part in refused("serve", model, "--port", 0, "--certificate", certificate, "--key", key)
    assert "give both" in refused("serve", model, "--port", 0, "--key", absent)
    assert "give both" in refused("serve", model, "--port", 0, "--certificate", absent)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_keys_that_cannot_be_used_are_refused(refused, model, tmp_path):
    for name, options in [("one", ["-nodes"]), ("two", ["-nodes"]), ("locked", ["-passout", "pass:secret"])]:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *options]
        command += ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", "/CN=test"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    for certificate, key in [("one.pem", "two.key"), ("locked.pem", "locked.key")]:
        arguments = ["--certificate", tmp_path / certificate, "--key", tmp_path / key]
        assert "without a password" in refused("serve", model, "--port", 0, *arguments)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_files_without_permission_are_refused(refused, model, tmp_path):
    for name in ("keys", "cert.pem"):
        (tmp_path / name).write_text("secret\n", "utf-8")
        (tmp_path / name).chmod(0)
    assert "Permission denied" in refused("serve", model, "--port", 0, "--api-key-file", tmp_path / "keys")
    arguments = ["--certificate", tmp_path / "cert.pem", "--key", tmp_path / "cert.pem"]
    assert "Permission denied" in refused("serve", model, "--port", 0, *arguments)


def test_the_missing_extra_is_named(refused, model, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("ramify.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert 'pip install "ramify[serve]"' in refused("serve", model)
