"""Suggestions of a real Annif with ``backend=http``, beside those that the service gives itself.

Annif is installed by the user: ``python -m venv annif && annif/bin/pip install annif``. Labels without identifiers have
their names as URIs in the answers of the service, so that Annif's vocabulary has names as URIs, too.
"""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from racing.rows import Row
from racing.serving_quality import Documents
from racing.serving_systems import Service, ServingError

COMPARED = 50
LIMIT = 5
PROJECT = """[ramify]
name=ramify
language=en
backend=http
endpoint={url}/v1/projects/model/suggest
vocab=labels
limit={limit}
"""


def compare_with_annif(environment: Path, service: Service, documents: Documents, folder: Path) -> Row:
    """Of how many documents Annif's suggestions are those of the service.

    Raises
    ------
    ServingError
        There is no Annif, or it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "projects.cfg").write_text(PROJECT.format(url=service.url, limit=LIMIT))
    texts = documents.texts[:COMPARED]
    expected = [_asked(service, text) for text in texts]
    names = sorted({name for found in expected for name in found} | {name for one in documents.labels for name in one})
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("uri", "label_en"), *((name, name) for name in names)])
    _annif(environment, folder, "load-vocab", "labels", "labels.csv", "--force")
    files = []
    for number, text in enumerate(texts):
        files.append(f"{number}.txt")
        (folder / files[-1]).write_text(text, "utf-8")
    output = _annif(environment, folder, "suggest", "ramify", *files)
    found: list[list[str]] = []
    for line in output.splitlines():
        if line.startswith("Suggestions for "):
            found.append([])
        elif "\t" in line:
            found[-1].append(line.split("\t")[1])
    equal = sum(one == other for one, other in zip(found, expected, strict=True))
    version = _annif(environment, folder, "--version").strip().splitlines()[-1]
    return {"documents": len(texts), "equal": equal, "annif": version}


def _asked(service: Service, text: str) -> list[str]:
    body = urlencode({"text": text, "limit": LIMIT}).encode()
    with build_opener(ProxyHandler({})).open(Request(f"{service.url}/v1/projects/model/suggest", body)) as answer:
        return [one["label"] for one in json.load(answer)["results"]]


def _annif(environment: Path, folder: Path, *words: str) -> str:
    program = (environment / "bin" / "annif").absolute()
    if not program.exists():
        raise ServingError(f"{environment} has no Annif: make it with python -m venv, and install annif")
    done = subprocess.run([str(program), *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServingError(f"annif {words[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout
