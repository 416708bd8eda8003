"""LexicalMatcher beside XRLinear on a held-out part of the training documents; the test documents are not read.

    python benchmarks/lexical.py --set gutenberg-lcsh
    python benchmarks/lexical.py --set kirjastonhoitaja-fi --language fi

Labels that only held-out documents have are 0-shot. Labels are all labels of the training file, or of
``labels.jsonl.gz`` where the set has it. One JSON line per model goes to stdout.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.places import DATA
from ramify import LexicalMatcher, Tagger, XRLinear
from ramify.evaluation import evaluate
from ramify.values import CSR, Dataset, TopK

HELD_OUT, SEED = 0.15, 1
K = 10


@dataclass(frozen=True)
class Problem:
    """Documents to learn from, and held-out ones."""

    names: list[str]
    training: Dataset
    texts: list[str]
    truth: CSR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="gutenberg-lcsh")
    parser.add_argument("--language", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    problem = read_problem(given.set)
    models = {
        "LexicalMatcher": LexicalMatcher(language=given.language, threads=given.threads),
        "XRLinear": XRLinear(threads=given.threads),
    }
    for name, model in models.items():
        start, cpu = time.perf_counter(), time.process_time()
        tagger = Tagger(model).fit_dataset(problem.training)
        row = {"set": given.set, "model": name, "fit_s": time.perf_counter() - start}
        row["fit_cpu_s"] = time.process_time() - cpu
        cpu = time.process_time()
        top = tagger.predict_topk(problem.texts, K)
        row["cpu_ms_per_document"] = (time.process_time() - cpu) / len(problem.texts) * 1000
        if name == "LexicalMatcher":
            row["candidate_recall"] = candidate_recall(tagger, problem)
        print(json.dumps(row | measures(top, problem)), flush=True)


def read_problem(name: str) -> Problem:
    rows = _rows(DATA / name / "train.jsonl.gz")
    listed = DATA / name / "labels.jsonl.gz"
    name_of = {row["id"]: row["name"] for row in _rows(listed)} if listed.exists() else {}
    labels = [[name_of.get(label, label) for label in row["labels"]] for row in rows]
    names = sorted({*name_of.values(), *(label for given in labels for label in given)})
    ids = {label: column for column, label in enumerate(names)}
    places = [(row, ids[label]) for row, given in enumerate(labels) for label in given]
    Y = sp.csr_matrix((np.ones(len(places), np.float32), tuple(zip(*places, strict=True))), (len(rows), len(names)))
    held = np.random.default_rng(SEED).random(len(rows)) < HELD_OUT
    texts = np.array([row["text"] for row in rows], object)
    training = Dataset(Y=Y[~held], label_names=names, texts=list(texts[~held]))
    return Problem(names, training, list(texts[held]), Y[held])


def _rows(path: Any) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def measures(top: TopK, problem: Problem) -> dict[str, float]:
    report = evaluate(problem.truth, top, Y_train=problem.training.Y, ks=(1, 3, 5, K))
    unseen = np.bincount(problem.training.Y.indices, minlength=len(problem.names)) == 0
    rows, ranks = np.nonzero(top.labels >= 0)
    labels = top.labels[rows, ranks]
    hits = np.asarray(problem.truth[rows, labels]).ravel() * unseen[labels]
    found = {name: float(report[name]) for name in ("P@1", "P@3", "P@5", f"nDCG@{K}")}
    return found | {f"0-shot recall@{K}": float(hits.sum() / max(1, unseen[problem.truth.indices].sum()))}


def candidate_recall(tagger: Tagger, problem: Problem) -> float:
    """Share of the labels of the held-out documents whose names occur in the text."""
    matches = tagger.model_.matches(problem.texts)
    pairs = zip(problem.truth.indptr[:-1], problem.truth.indptr[1:], matches, strict=True)
    found = sum(len({one.label for one in named} & set(problem.truth.indices[a:b])) for a, b, named in pairs)
    return float(found / problem.truth.nnz)


if __name__ == "__main__":
    main()
