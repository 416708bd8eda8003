"""Suggestions of a real Annif with ``backend=http``, beside those that the service gives itself.

Annif is installed by the user: ``python -m venv annif && annif/bin/pip install annif``. It knows labels by their URIs,
so that the labels of the model get some.
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
VOCABULARY = "labels.csv"
LIMIT = 5
ROUNDED = 1e-4
Scores = dict[str, float]
PROJECT = """[ramify]
name=ramify
language=en
backend=http
endpoint={url}/v1/projects/model/suggest
vocab=labels
limit={limit}
"""


def with_uris(model: Path, folder: Path) -> Path:
    """A copy of a model whose labels have URIs, and a vocabulary of Annif beside it."""
    from ramify import Tagger
    from ramify.strings import StringTable

    tagger = Tagger.load(model)
    names = list(tagger.label_names_)
    uris = [f"http://example.org/subjects/{number}" for number in range(len(names))]
    tagger.label_keys_ = StringTable.of(uris)
    folder.mkdir(parents=True, exist_ok=True)
    tagger.save(folder / "model")
    with (folder / VOCABULARY).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("uri", "label_en"), *zip(uris, names, strict=True)])
    return folder / "model"


def compare_with_annif(environment: Path, service: Service, documents: Documents, folder: Path) -> Row:
    """Of how many documents Annif's suggestions are those of the service.

    Raises
    ------
    ServingError
        There is no Annif, or it fails.
    """
    (folder / "projects.cfg").write_text(PROJECT.format(url=service.url, limit=LIMIT))
    texts = documents.texts[:COMPARED]
    expected = [_asked(service, text) for text in texts]
    _annif(environment, folder, "load-vocab", "labels", VOCABULARY, "--force")
    files = []
    for number, text in enumerate(texts):
        files.append(f"{number}.txt")
        (folder / files[-1]).write_text(text, "utf-8")
    output = _annif(environment, folder, "suggest", "ramify", *files)
    equal = sum(_are_equal(one, other) for one, other in zip(suggested(output), expected, strict=True))
    version = _annif(environment, folder, "--version").strip().splitlines()[-1]
    return {"documents": len(texts), "equal": equal, "annif": version}


def suggested(output: str) -> list[Scores]:
    """Label -> score of each document, from what ``annif suggest`` prints."""
    found: list[Scores] = []
    for line in output.splitlines():
        if line.startswith("Suggestions for "):
            found.append({})
        elif "\t" in line:
            _, label, score = line.split("\t")
            found[-1][label] = float(score)
    return found


def _are_equal(one: Scores, other: Scores) -> bool:
    """Whether labels and scores are equal, but for the rounding of scores by Annif."""
    return one.keys() == other.keys() and all(abs(one[label] - other[label]) < ROUNDED for label in one)


def _asked(service: Service, text: str) -> Scores:
    body = urlencode({"text": text, "limit": LIMIT}).encode()
    with build_opener(ProxyHandler({})).open(Request(f"{service.url}/v1/projects/model/suggest", body)) as answer:
        return {one["label"]: one["score"] for one in json.load(answer)["results"]}


def _annif(environment: Path, folder: Path, *words: str) -> str:
    program = (environment / "bin" / "annif").absolute()
    if not program.exists():
        raise ServingError(f"{environment} has no Annif: make it with python -m venv, and install annif")
    done = subprocess.run([str(program), *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServingError(f"annif {words[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout
