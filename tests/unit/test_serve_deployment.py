"""The files in ``deploy/``: what they promise about rights, models and health. No image is built here."""

import configparser
import json
import re
from dataclasses import fields
from pathlib import Path
from urllib.error import HTTPError

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify.cli.serve import ServeOptions
from ramify.serve import Limits, create_app, host
from serving_models import neighbours
from serving_tools import Listening

DEPLOY = Path(__file__).parents[2] / "deploy"
FLAGS = {f"--{field.name.replace('_', '-')}" for field in fields(ServeOptions)} - {"--models"}


def instructions():
    """(instruction, value) of the Containerfile, of its last stage, and its comments."""
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    parts = [tuple(line.split(None, 1)) for line in lines if line and not line.startswith("#")]
    last = max(number for number, (name, _) in enumerate(parts) if name == "FROM")
    return parts[last:], "\n".join(line for line in text.splitlines() if line.startswith("#"))


def test_the_image_is_slim_and_runs_as_a_user_without_rights():
    stage, comments = instructions()
    by_name = dict(stage)
    assert re.search(r"python:3\.\d+-slim$", by_name["FROM"])
    assert by_name["USER"].split(":")[0].isdigit()
    assert int(by_name["USER"].split(":")[0]) > 0
    names = [name for name, _ in stage]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert not any(name == "RUN" and "apt-get" in value for name, value in stage)
    assert "--read-only" in comments
    assert "/models:ro" in comments
    assert by_name["VOLUME"] == "/models"
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text("utf-8").splitlines()
    assert {".git", ".venv*", "build"} <= set(ignored)


def test_the_command_of_the_image_is_one_of_the_program():
    by_name = dict(instructions()[0])
    command = json.loads(by_name["ENTRYPOINT"])
    assert command[:2] == ["ramify", "serve"]
    given = dict(zip(command[2::2], command[3::2], strict=True))
    assert set(given) <= FLAGS
    assert given["--host"] == "0.0.0.0"
    assert given["--port"] == by_name["EXPOSE"]
    assert json.loads(by_name["CMD"])[0].startswith("/models/")


def test_the_health_check_looks_whether_models_are_ready(tmp_path):
    options, _, command = dict(instructions()[0])["HEALTHCHECK"].partition(" CMD ")
    assert "--timeout=" in options
    program, flag, code = json.loads(command)
    assert (program, flag) == ("python", "-c")
    neighbours().save(tmp_path / "model")
    app = create_app(host([("model", tmp_path / "model")]))
    with Listening(app, Limits()) as server:
        here = code.replace("127.0.0.1:8000", f"127.0.0.1:{server.address[1]}")
        assert here != code
        exec(here, {})
        app_without = code.replace("127.0.0.1:8000/health/ready", f"127.0.0.1:{server.address[1]}/no")
        with pytest.raises(HTTPError) as error:
            exec(app_without, {})
        error.value.close()


@pytest.fixture(scope="module")
def unit():
    class Repeated(dict):
        """Values of a repeated setting are joined."""

        def __setitem__(self, name, value):
            if isinstance(value, list) and name in self:
                value = [*self[name], *value]
            super().__setitem__(name, value)

    parser = configparser.ConfigParser(interpolation=None, strict=False, dict_type=Repeated)
    parser.optionxform = str
    parser.read(DEPLOY / "ramify.service", "utf-8")
    return parser


def test_the_unit_has_no_rights_and_writes_nothing(unit):
    service = unit["Service"]
    yes = ["DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectKernelTunables"]
    yes += ["ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "RestrictNamespaces"]
    yes += ["RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute"]
    assert {name: service[name] for name in yes} == dict.fromkeys(yes, "yes")
    assert service["ProtectSystem"] == "strict"
    assert service["ReadOnlyPaths"] == "/srv/ramify"
    assert "ReadWritePaths" not in service
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ""
    assert service["SystemCallFilter"].split() == ["@system-service", "~@privileged", "@resources"]
    assert "User" not in service


def test_the_unit_starts_the_program_and_lets_requests_complete(unit):
    from ramify.cli.serve import GRACE

    service = unit["Service"]
    program, command, model, *rest = service["ExecStart"].split()
    assert (Path(program).name, command) == ("ramify", "serve")
    assert model.startswith("/srv/ramify/")
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    assert set(given) <= FLAGS
    assert given["--api-key-file"] == "${CREDENTIALS_DIRECTORY}/keys"
    assert service["LoadCredential"].startswith("keys:")
    assert service["KillMode"] == "mixed"  # SIGTERM goes to the front only
    assert int(service["TimeoutStopSec"]) > GRACE
    assert int(service["LimitNOFILE"]) > Limits().connections
    assert unit["Install"]["WantedBy"] == "multi-user.target"
