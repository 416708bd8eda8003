"""Back ends of a real Annif on one data set: ramify beside omikuji, mllm, tfidf and an ensemble of Annif.

    python benchmarks/annif_backends.py --sets kirjastonhoitaja-fi
    python benchmarks/annif_backends.py --sets gutenberg-lcsh --test 2000 --projects ramify omikuji-parabel

All projects have the same vocabulary (all labels of the training and test files), the same training documents and the
same analyzer, Snowball's of the language; ``ramify-own-words`` makes its own words. Annif trains and evaluates them by
its commands, with two jobs; mllm trains on the first 2,000 documents. The environment is made on the first call.

Rows go to ``results/fusion.jsonl``; those that are there are skipped.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from racing.annif_projects import ANNIF, LANGUAGES, PROJECTS, AnnifError, Place, versions
from racing.environments import InstallError
from racing.held_out import parsed
from racing.machine import machine
from racing.matrices import Matrices, MissingDataError
from racing.places import CACHE, DATA, HERE
from racing.rows import BUSY_SHARE, Row, add_stamped, read_rows
from racing.sources import source_hash
from racing.stopping import run_until_stopped
from racing.text_sets import names_of, prepare_texts, texts_of

ROWS = HERE / "results" / "fusion.jsonl"
KEY = ("kind", "dataset", "matrices", "tests", "system", "identity", "machine")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["kirjastonhoitaja-fi", "gutenberg-lcsh"], metavar="SET")
    parser.add_argument("--projects", nargs="+", default=list(PROJECTS), choices=list(PROJECTS), metavar="PROJECT")
    parser.add_argument("--test", type=int, default=2000, metavar="N", help="first N test documents")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    chosen = parser.parse_args()
    try:
        ANNIF.ensure()
    except InstallError as error:
        sys.exit(f"Annif {error}")
    for name in chosen.sets:
        try:
            matrices = prepare_texts(name, chosen.data, every_label=True)
        except (MissingDataError, ValueError) as error:
            print(error)
            continue
        for row in rows_of(matrices, chosen.projects, chosen.test, chosen.data):
            print(json.dumps(add_stamped(ROWS, row)), flush=True)


def rows_of(matrices: Matrices, projects: list[str], tests: int, data: Path) -> Iterator[Row]:
    """Rows of the projects that are due."""
    dataset, _ = parsed(matrices.dataset)
    place = Place(CACHE / "annif" / matrices.dataset.replace(":", "-"), LANGUAGES[dataset])
    place.folder.mkdir(parents=True, exist_ok=True)
    corpora = {part: documents_of(matrices, part, tests) for part in ("train", "test")}
    place.prepare(readable_names(matrices, data / dataset / "labels.jsonl.gz"), corpora)
    base = {"kind": "annif", "dataset": matrices.dataset, "matrices": matrices.fingerprint}
    base |= {"tests": len(corpora["test"]), "machine": machine()}
    known = {tuple(row.get(name) for name in KEY) for row in read_rows(ROWS)}
    for project in projects:
        key = base | {"system": project, "identity": identity(project)}
        if tuple(key.get(name) for name in KEY) in known:
            continue
        yield key | measured(place, project, len(corpora["test"]))


def measured(place: Place, project: str, tests: int) -> Row:
    """Train and evaluate one project, or why that failed."""
    shutil.rmtree(place.folder / "data" / "projects" / project, ignore_errors=True)
    try:
        row = {} if PROJECTS[project]["backend"] == "ensemble" else place.train(project)
        row |= place.evaluate(project, tests)
    except AnnifError as failure:
        return {"failed": str(failure)}
    own, others = (row.get(f"train_{name}", 0) + row[f"eval_{name}"] for name in ("cpu_s", "others_cpu_s"))
    return row | {"busy": others > BUSY_SHARE * own, "versions": versions()}


def identity(project: str) -> str:
    """What a row stays true for: the settings, and the sources of ramify where it is the back end."""
    sources = source_hash("ramify.annif.backend") if PROJECTS[project]["backend"] == "ramify" else ""
    return json.dumps([dict(PROJECTS[project]), sources])


def readable_names(matrices: Matrices, file: Path) -> list[str]:
    """Names of the labels, where a file has them by identifier."""
    names = names_of(matrices)
    if not file.exists():
        return names
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        known = {one["id"]: one["name"] for one in map(json.loads, lines)}
    return [known.get(name, name) for name in names]


def documents_of(matrices: Matrices, part: str, tests: int) -> list[tuple[str, list[int]]]:
    """Texts and label numbers of a part."""
    Y: Any = matrices.Y if part == "train" else matrices.Y_test
    texts = texts_of(matrices, part)
    n = len(texts) if part == "train" else min(tests, len(texts))
    return [(texts[row], Y.indices[Y.indptr[row] : Y.indptr[row + 1]].tolist()) for row in range(n)]


if __name__ == "__main__":
    run_until_stopped(main, "rows")
