"""Fusions of two, three and four members beside their members, the preset ``best`` and ensembles of one kind.

    python benchmarks/fusion.py held-out --sets gutenberg-lcsh
    python benchmarks/fusion.py test --sets gutenberg-lcsh yso-finna-en

``held-out`` keeps an eighth of the training documents back, at most 5,000; equal texts are in one part. ``test`` trains
on all training documents and measures on the test documents. The labels are those of the training documents
(``--labels known``), or those of training and measured documents together, as with a vocabulary (``--labels every``):
labels without a training document are then found by their names. Labels have the names of ``labels.jsonl.gz``, where a
set has this file. The vectorizer is fitted within the time of training. Rows go to ``results/fusion.jsonl``; what is
there already is passed over. Differences to ``best`` need its rankings, which are stored in ``.cache/fusion``.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.places import CACHE, DATA, HERE
from racing.rows import Row, add_stamped, read_rows

RESULTS = HERE / "results" / "fusion.jsonl"
KEY = ("kind", "dataset", "labels", "way", "documents", "seed")
KS = (1, 3, 5, 10)
MEASURES = (*(f"{name}@{k}" for name in ("P", "PSP") for k in (1, 3, 5)), "nDCG@10", "microF1@5")
COMPARED = ("nDCG@10", "microF1@5")
ZERO_SHOT = "0-shot/R@10"
HELD_OUT, MOST_HELD = 1 / 8, 5_000

TEXTS = "nearest-texts:label_share=1"
BEST = "best"
WAYS = {
    "default": "xr-linear",
    BEST: "best",
    "semantic": "semantic",
    "lexical": "lexical",
    "nearest instances": "nearest-instances",
    "nearest texts": "nearest-texts",
    "label vectors": TEXTS,
    "three trees": "ensemble:3",
    "default + nearest instances": "fusion:xr-linear,nearest-instances",
    "default + label vectors": f"fusion:xr-linear,{TEXTS}",
    "default + lexical": "fusion:xr-linear,lexical",
    "default + nearest instances + label vectors": f"fusion:xr-linear,nearest-instances,{TEXTS}",
    "default + nearest instances + lexical": "fusion:xr-linear,nearest-instances,lexical",
    "preset library (four members)": f"fusion:xr-linear,nearest-instances,{TEXTS},lexical",
    "semantic + nearest instances + label vectors + lexical": f"fusion:semantic,nearest-instances,{TEXTS},lexical",
    "best + lexical + label vectors + semantic": f"fusion:best,lexical,{TEXTS},semantic",
    "equal weights of the three": f"equal:xr-linear,nearest-instances,{TEXTS}",
    "equal weights of the four": f"equal:xr-linear,nearest-instances,{TEXTS},lexical",
}
"""Names of the ways in rows and tables, and how each is made."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("held-out", "test"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=["gutenberg-lcsh"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--labels", choices=("known", "every"), default="known")
    parser.add_argument("--documents", type=int, help="a sample of the documents")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    for name in chosen.sets:
        train, asked = parts(chosen, name)
        for way in chosen.ways:
            key = {"kind": chosen.kind, "dataset": name, "labels": chosen.labels, "way": way, "seed": chosen.seed}
            key |= {"documents": len(train)}
            if not any(all(row.get(field) == key.get(field) for field in KEY) for row in read_rows(chosen.results)):
                row = key | measured(key, train, asked, chosen)
                print(json.dumps(add_stamped(chosen.results, row)), flush=True)


def parts(chosen: argparse.Namespace, name: str) -> tuple[Any, Any]:
    """Documents to train on and to measure on, in one label space."""
    from ramify import Dataset, read
    from ramify.data import Fields, align
    from ramify.data.equal import equal_instances, folds

    names_file = chosen.data / name / "labels.jsonl.gz"
    fields = Fields(names_path=names_file if names_file.exists() else None)
    train = read(chosen.data / name / "train.jsonl.gz", fields=fields)
    if chosen.documents is not None:
        rows = np.sort(np.random.default_rng(chosen.seed).permutation(len(train))[: chosen.documents])
        train = _rows(train, rows)
    if chosen.kind == "test":
        asked = align(read(chosen.data / name / "test.jsonl.gz", fields=fields), list(train.label_names))
        names = list(asked.label_names)
    else:
        held = folds(equal_instances(train), chosen.seed, share=HELD_OUT, most=MOST_HELD, enough=1)[0]
        names = list(train.label_names)
        asked, train = _rows(train, held), _rows(train, np.setdiff1d(np.arange(len(train)), held))
    used = np.bincount(train.Y.indices, minlength=len(names)) > 0
    order = np.concatenate([np.flatnonzero(used), np.flatnonzero(~used)])
    names = [names[label] for label in order]
    missing = len(names) - train.Y.shape[1]
    Y = sp.csr_matrix(sp.hstack([train.Y, sp.csr_matrix((len(train), missing), dtype=np.float32)]))[:, order]
    n_labels = len(names) if chosen.labels == "every" else int(used.sum())
    trained = Dataset(sp.csr_matrix(Y[:, :n_labels]), names[:n_labels], texts=train.texts)
    return trained, Dataset(sp.csr_matrix(asked.Y[:, order]), names, texts=asked.texts)


def _rows(dataset: Any, rows: Any) -> Any:
    from ramify import Dataset

    return Dataset(dataset.Y[rows], dataset.label_names, texts=[dataset.texts[row] for row in rows.tolist()])


def made(way: str, chosen: argparse.Namespace) -> Any:
    """The unfitted model of a way."""
    from ramify import Ensemble, Fusion, XRLinear
    from ramify.models.mixtures.given_members import made_member

    general: dict[str, Any] = {"seed": chosen.seed, "threads": chosen.threads}
    kind, _, rest = WAYS[way].partition(":")
    if kind == "ensemble":
        return Ensemble(XRLinear(seed=chosen.seed), trees=int(rest), threads=chosen.threads)
    if kind == "equal":
        return Ensemble([made_member(one, **general) for one in rest.split(",")], threads=chosen.threads)
    if kind == "fusion":
        return Fusion(rest, **general)
    return made_member(WAYS[way], **general)


def measured(key: Row, train: Any, asked: Any, chosen: argparse.Namespace) -> Row:
    """Train and measure; the rows of a fusion have its report."""
    from ramify import Tagger, Tfidf, evaluate
    from ramify.data.labels import align
    from ramify.tagger.assessment import predictions

    model = made(key["way"], chosen)
    before = os.times()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tagger = Tagger(model, vectorizer=Tfidf(threads=chosen.threads)).fit_dataset(train)
    cost = {"train_cpu_s": round(_cpu(before), 1), "threads": chosen.threads}
    before = os.times()
    top = predictions(tagger, asked, max(KS), asked.label_names, chosen.threads)
    cost["document_cpu_ms"] = round(1e3 * _cpu(before) / len(asked), 3)
    counts = align(train, asked.label_names).Y
    report = evaluate(asked.Y, top, Y_train=counts, ks=KS, bootstrap=1000)
    measures = {name: round(100 * float(report[name]), 2) for name in MEASURES}
    if ZERO_SHOT in report.as_dict()["values"]:
        measures[ZERO_SHOT] = round(100 * float(report[ZERO_SHOT]), 2)
    more = {} if not hasattr(tagger.model_, "report_") else {"fusion": tagger.model_.report_.as_dict()}
    more |= over_best(chosen, key, top, asked, counts)
    return {"tests": len(asked), "n_labels": train.n_labels} | cost | {"measures": measures} | more


def over_best(chosen: argparse.Namespace, key: Row, top: Any, asked: Any, counts: Any) -> Row:
    """The paired differences to the preset ``best``, if its rankings of the same documents are stored."""
    from ramify.evaluation import compare
    from ramify.values import TopK

    folder = CACHE / "fusion"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ("-".join(str(key[name]) for name in KEY if name != "way") + ".npz")
    if key["way"] == BEST:
        np.savez_compressed(file, labels=top.labels, scores=top.scores)
    if key["way"] == BEST or not file.exists():
        return {}
    with np.load(file) as stored:
        best = TopK(stored["labels"], stored["scores"])
    found = compare(asked.Y, best, top, Y_train=counts, ks=KS, bootstrap=1000)
    pairs = {name: found[name] for name in COMPARED}
    return {"over_best": {name: [100 * one.difference, one.p] for name, one in pairs.items()}}


def _cpu(before: os.times_result) -> float:
    after = os.times()
    return after.user + after.system - before.user - before.system


if __name__ == "__main__":
    main()
