"""Fusions of two and three members beside their members, the preset ``best`` and ensembles of one kind.

    python benchmarks/fusion.py held-out --sets gutenberg-lcsh
    python benchmarks/fusion.py test --sets gutenberg-lcsh yso-finna-en

``held-out`` keeps an eighth of the training documents back, at most 5,000; equal texts are in one part. ``test`` trains
on all training documents and measures on the test documents. The labels are those of the training documents
(``--labels known``), or those of training and measured documents together, as with a vocabulary (``--labels every``):
labels without a training document are then found by their names. The vectorizer is fitted within the time of training.
Rows go to ``results/fusion.jsonl``; what is there already is passed over.
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

from racing.places import DATA, HERE
from racing.rows import Row, add_stamped, read_rows

RESULTS = HERE / "results" / "fusion.jsonl"
KEY = ("kind", "dataset", "labels", "way", "documents", "seed")
KS = (1, 3, 5, 10)
MEASURES = (*(f"{name}@{k}" for name in ("P", "PSP") for k in (1, 3, 5)), "nDCG@10", "microF1@5")
ZERO_SHOT = "0-shot/R@10"
HELD_OUT, MOST_HELD = 1 / 8, 5_000

TEXTS = "nearest-texts:label_share=1"
WAYS = {
    "tree": "xr-linear",
    "nearest instances": "nearest-instances",
    "nearest texts": "nearest-texts",
    "label vectors": TEXTS,
    "best": "best",
    "two trees": "ensemble:2",
    "three trees": "ensemble:3",
    "tree + nearest instances": "fusion:xr-linear,nearest-instances",
    "tree + label vectors": f"fusion:xr-linear,{TEXTS}",
    "tree + nearest instances + label vectors": f"fusion:xr-linear,nearest-instances,{TEXTS}",
    "two trees + nearest instances + label vectors": (f"fusion:xr-linear,xr-linear:seed=1,nearest-instances,{TEXTS}"),
    "wide tree + nearest instances + label vectors": (
        f"fusion:xr-linear:branching=256:max_leaf=256:tail_cost=0.5,nearest-instances,{TEXTS}"
    ),
    "best + label vectors": f"fusion:best,{TEXTS}",
    "equal weights of the three": f"equal:xr-linear,nearest-instances,{TEXTS}",
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
                row = key | measured(way, train, asked, chosen)
                print(json.dumps(add_stamped(chosen.results, row)), flush=True)


def parts(chosen: argparse.Namespace, name: str) -> tuple[Any, Any]:
    """Documents to train on and to measure on, in one label space."""
    from ramify import Dataset, read
    from ramify.data import align
    from ramify.data.equal import equal_instances, folds

    train = read(chosen.data / name / "train.jsonl.gz")
    if chosen.documents is not None:
        rows = np.sort(np.random.default_rng(chosen.seed).permutation(len(train))[: chosen.documents])
        train = _rows(train, rows)
    if chosen.kind == "test":
        asked = align(read(chosen.data / name / "test.jsonl.gz"), list(train.label_names))
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

    general = {"seed": chosen.seed, "threads": chosen.threads}
    kind, _, rest = WAYS[way].partition(":")
    if kind == "ensemble":
        return Ensemble(XRLinear(seed=chosen.seed), trees=int(rest), threads=chosen.threads)
    if kind == "equal":
        return Ensemble([made_member(one, **general) for one in rest.split(",")], threads=chosen.threads)
    if kind == "fusion":
        return Fusion(rest, **general)
    return made_member(WAYS[way], **general)


def measured(way: str, train: Any, asked: Any, chosen: argparse.Namespace) -> Row:
    """Train and measure; the rows of a fusion have its report."""
    from ramify import Tagger, Tfidf, evaluate
    from ramify.data.labels import align
    from ramify.tagger.assessment import predictions

    model = made(way, chosen)
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
    return cost | {"measures": measures} | more


def _cpu(before: os.times_result) -> float:
    after = os.times()
    return after.user + after.system - before.user - before.system


if __name__ == "__main__":
    main()
