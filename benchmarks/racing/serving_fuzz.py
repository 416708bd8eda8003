"""Random requests made by schemathesis from the OpenAPI document of the running service."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from racing.environments import Environment
from racing.rows import Row
from racing.serving_faults import counted
from racing.serving_systems import Service, ServingError

SCHEMATHESIS = Environment("schemathesis", requirements=("schemathesis==4.32.5",))
DOCUMENTED = "503"
NAMED = "named.toml"
NAMES = """[parameters]
"path.model" = "model"
"path.project_id" = "model"
"query.model" = "model"
"""
"""Settings of schemathesis: parameters that have the name of the model of the service."""
SHOWN = 40
"""Failures that a row describes."""


def fuzz_service(service: Service, cases: int, folder: Path) -> Row:
    """Requests until there are enough, as the service counts them; failures by check, with a request that shows each.

    Parameters
    ----------
    service : Service
    cases : int
        Number of requests at least.
    folder : Path
        For the reports of schemathesis.
    """
    SCHEMATHESIS.ensure()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAMED).write_text(NAMES)
    operations = sum(map(len, json.loads(service.text("/openapi.json"))["paths"].values()))
    failures: dict[str, Row] = {}
    checks: Counter[str] = Counter()
    begin, seed = time.monotonic(), 0
    while seed < 2 or _requests(service) < cases:
        seed += 1
        left = max(cases // 4, cases - _requests(service))
        # Half of the requests in the first run; operations without parameters have few cases each.
        report = _run(service, folder, seed, max(10, left // operations))
        for failure in failures_of(report):
            checks[failure["check"]] += 1
            failures.setdefault(f"{failure['check']} {failure['operation']} {failure['title']}", failure)
    statuses = counted(service.text("/metrics"))
    return {
        "requests": sum(statuses.values()),
        "statuses": statuses,
        "unexpected_5xx": sum(n for name, n in statuses.items() if name.startswith("5") and name != DOCUMENTED),
        "failures": dict(checks),
        "examples": list(failures.values())[:SHOWN],
        "seconds": round(time.monotonic() - begin, 1),
        "runs": seed,
        "log": [line for line in service.log.read_text("utf-8", "replace").splitlines() if "error" in line][:20],
    }


def _requests(service: Service) -> int:
    return sum(counted(service.text("/metrics")).values())


def _run(service: Service, folder: Path, seed: int, examples: int) -> Path:
    """The report of one run; every second run has the names of models that exist, which are seldom found by chance."""
    report, output = folder / f"{seed}.ndjson", folder / f"{seed}.txt"
    report.unlink(missing_ok=True)
    command = [str(SCHEMATHESIS.python.with_name("schemathesis")), "--no-color"]
    command += ["--config-file", NAMED] if seed % 2 == 0 else []
    command += ["run", f"{service.url}/openapi.json", "--checks", "all", "--max-examples", str(examples)]
    command += ["--seed", str(seed), "--continue-on-failure", "--report", "ndjson", "--report-ndjson-path", str(report)]
    with output.open("wb") as file:
        subprocess.run(command, stdout=file, stderr=file, check=False, cwd=folder)
    if not report.exists():
        raise ServingError(f"schemathesis left no report: see {output}")
    return report


def failures_of(report: Path) -> Iterator[Row]:
    """Failed checks of a report, with the request and the status of the answer."""
    with report.open(encoding="utf-8") as file:
        for line in file:
            scenario = json.loads(line).get("ScenarioFinished")
            if scenario is None:
                continue
            recorder = scenario["recorder"]
            for case, checks in recorder.get("checks", {}).items():
                for check in checks:
                    if check["status"] == "failure":
                        yield _failure(check, recorder.get("interactions", {}).get(case))


def _failure(check: Row, interaction: Any) -> Row:
    failure = check["failure_info"]["failure"]
    request = (interaction or {}).get("request") or {}
    response = (interaction or {}).get("response") or {}
    return {
        "check": check["name"],
        "operation": failure["operation"],
        "title": failure["title"],
        "message": failure["message"][:200],
        "request": f"{request.get('method')} {request.get('uri')}"[:300],
        "body": _text(request.get("body")),
        "status": response.get("status_code"),
    }


def _text(body: Any) -> str:
    """The beginning of a body, which the report has in base 64."""
    if isinstance(body, dict):
        return base64.b64decode(body.get("$base64", "")).decode("utf-8", "replace")[:300]
    return str(body or "")[:300]
