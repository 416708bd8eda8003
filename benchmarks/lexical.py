"""LexicalMatcher beside XRLinear on a held-out part of the training documents; the test documents are not read.

    python benchmarks/lexical.py --set gutenberg-lcsh
    python benchmarks/lexical.py --set kirjastonhoitaja-fi --language fi
    python benchmarks/lexical.py --set crs-bills-mini --size 200000

    python benchmarks/lexical.py --corpus documents.tsv --vocabulary subjects.ttl --label-language fi --language fi

``--corpus`` with ``--vocabulary`` measures LexicalMatcher without and with the alternative names and relations of the
vocabulary. Labels that only held-out documents have are 0-shot. Labels are all labels of the training file, or of
``labels.jsonl.gz`` where the set has it. One JSON line per model goes to stdout.

``--size`` measures the speed with this number of labels: their names, and two alternative names of each, are made of
rare words of the texts.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from racing.places import DATA
from ramify import LexicalMatcher, Tagger, XRLinear
from ramify.data import read, read_vocabulary, with_vocabulary
from ramify.evaluation import evaluate
from ramify.exchange import Request, Training
from ramify.features.languages import snowball
from ramify.models.lexical.names import LabelNames, entries_of
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
    parser.add_argument("--size", type=int)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--vocabulary", type=Path)
    parser.add_argument("--label-language")
    given = parser.parse_args()
    if given.size is not None:
        print(json.dumps(speed(given.set, given.size)))
        return
    if (given.corpus is None) != (given.vocabulary is None):
        parser.error("--corpus and --vocabulary belong together")
    problem = read_problem(given.set) if given.corpus is None else read_corpus(given)
    lexical = LexicalMatcher(language=given.language, threads=given.threads)
    plain = replace(problem.training, vocabulary=None)
    models = {"LexicalMatcher": (lexical, plain), "XRLinear": (XRLinear(threads=given.threads), plain)}
    if given.corpus is not None:
        models["LexicalMatcher, vocabulary"] = (lexical, problem.training)
    for name, (model, training) in models.items():
        start, cpu = time.perf_counter(), time.process_time()
        tagger = Tagger(clone(model)).fit_dataset(training)
        row = {"set": given.corpus.name if given.corpus else given.set, "model": name}
        row["fit_s"] = time.perf_counter() - start
        row["fit_cpu_s"] = time.process_time() - cpu
        cpu = time.process_time()
        top = tagger.predict_topk(problem.texts, K)
        row["cpu_ms_per_document"] = (time.process_time() - cpu) / len(problem.texts) * 1000
        if model is lexical:
            row["candidate_recall"] = candidate_recall(tagger, problem)
        print(json.dumps(row | measures(top, problem)), flush=True)


def speed(name: str, n_labels: int) -> dict[str, float]:
    """CPU seconds until names are ready and the model is trained, and CPU milliseconds per text."""
    texts = tuple(row["text"] for row in _rows(DATA / name / "train.jsonl.gz"))
    made = random_names(texts, 3 * n_labels)
    alternative = dict(zip(made[:n_labels], map(list, batched_pairs(made[n_labels:])), strict=True))
    clock = [time.process_time()]
    entries_of(
        LabelNames.of(made[:n_labels], list(alternative.values())),
        np.zeros(n_labels, np.int64),
        stem_words=snowball("en"),
        most_labels=50,
        threads=1,
    )
    clock.append(time.process_time())
    labels = np.random.default_rng(SEED).integers(0, n_labels, len(texts))
    Y = sp.csr_matrix((np.ones(len(texts), np.float32), (np.arange(len(texts)), labels)), (len(texts), n_labels))
    model = LexicalMatcher(language="en", alternative_names=alternative, threads=1)
    model.fit_training(Training(texts=texts, Y=Y, label_names=made[:n_labels]))
    clock.append(time.process_time())
    model.answer(Request(texts=texts, k=K, threads=1))
    clock.append(time.process_time())
    names_s, fit_s, answer_s = np.diff(clock)
    candidates = float(model.counts_.cands.sum() / len(texts))
    return {
        "labels": n_labels,
        "names_cpu_s": names_s,
        "fit_cpu_s": fit_s,
        "cpu_ms_per_document": answer_s / len(texts) * 1000,
        "candidates_per_document": candidates,
    }


def random_names(texts: Sequence[str], count: int) -> list[str]:
    """Different names of two to five words that at most 2% of the texts have."""
    split = [re.findall(r"\b[^\W\d_]{2,}\b", text.lower()) for text in texts]
    frequency = Counter(word for words in split for word in set(words))
    rare = [[word for word in words if frequency[word] <= 0.02 * len(texts)] for words in split]
    rare = [words for words in rare if len(words) > 5]
    every = sorted({word for words in rare for word in words})
    rng = np.random.default_rng(SEED)
    found: dict[str, None] = {}
    while len(found) < count:
        words = rare[rng.integers(len(rare))]
        begin, size = rng.integers(len(words) - 4), rng.integers(1, 5)
        found[" ".join([*words[begin : begin + size], every[rng.integers(len(every))]])] = None
    return list(found)


def batched_pairs(names: list[str]) -> list[tuple[str, str]]:
    return list(zip(names[::2], names[1::2], strict=True))


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


def read_corpus(given: argparse.Namespace) -> Problem:
    """A corpus with the concepts of a vocabulary as labels; unknown labels are left out."""
    dataset = read(given.corpus)
    dataset = with_vocabulary(dataset, read_vocabulary(given.vocabulary), given.label_language, drop_unknown=True)
    held = np.random.default_rng(SEED).random(len(dataset)) < HELD_OUT
    training, rest = dataset.take(np.flatnonzero(~held)), dataset.take(np.flatnonzero(held))
    return Problem(list(dataset.label_names), training, list(rest.texts), rest.Y)


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
    sizes = np.diff(problem.truth.indptr)
    kept = TopK(top.labels[:, :5], top.scores[:, :5])
    right = np.zeros(len(sizes))
    rows, ranks = np.nonzero(kept.labels >= 0)
    np.add.at(right, rows, np.asarray(problem.truth[rows, kept.labels[rows, ranks]]).ravel())
    found["F1@5"] = float(np.mean(2 * right / np.maximum(1, sizes + (kept.labels >= 0).sum(axis=1))))
    return found | {f"0-shot recall@{K}": float(hits.sum() / max(1, unseen[problem.truth.indices].sum()))}


def candidate_recall(tagger: Tagger, problem: Problem) -> float:
    """Share of the labels of the held-out documents whose names occur in the text."""
    matches = tagger.model_.matches(problem.texts)
    pairs = zip(problem.truth.indptr[:-1], problem.truth.indptr[1:], matches, strict=True)
    found = sum(len({one.label for one in named} & set(problem.truth.indices[a:b])) for a, b, named in pairs)
    return float(found / problem.truth.nnz)


if __name__ == "__main__":
    main()
