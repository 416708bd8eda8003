"""The cost of reasons on one data set: medians over documents of the test set, one at a time, in this process.

    python benchmarks/explaining.py --set gutenberg-lcsh

reason_ms   reason of the best label of a vectorized document: the model's ``reasons``
named_ms    the same from the text, predicted, named, and traced to the words of the text (``Tagger.explain``)
html_ms     the fragment of HTML of such an explanation
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ramify
from racing.machine import machine
from racing.places import DATA, HERE
from racing.rows import add_stamped
from ramify.exchange import Request
from saving import median_ms

ROWS = HERE / "results" / "decisions.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--set", default="gutenberg-lcsh")
    parser.add_argument("--preset", default="default", help="preset of the model")
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--add", action="store_true", help="append the row to benchmarks/results/decisions.jsonl")
    chosen = parser.parse_args()
    training, test = (ramify.read(chosen.data / chosen.set / f"{part}.jsonl.gz") for part in ("train", "test"))
    tagger = ramify.Tagger.of_preset(chosen.preset, threads=chosen.threads).fit_dataset(training)
    found = medians(tagger, list(test.texts or ())[: chosen.repetitions], chosen.repetitions)
    row = {"kind": "reasons", "dataset": chosen.set, "preset": chosen.preset, "labels": len(tagger.label_names_)}
    row |= {name: round(value, 4) for name, value in found.items()} | {"machine": machine()}
    print(json.dumps(add_stamped(ROWS, row) if chosen.add else row))


def medians(tagger: Any, texts: Sequence[str], repetitions: int) -> dict[str, float]:
    """Median milliseconds of a reason, of a named explanation and of its HTML; texts without a label are left out."""
    top = tagger.predict_topk(list(texts), 1).labels[:, 0].tolist()
    known = [(text, label) for text, label in zip(texts, top, strict=True) if label >= 0]
    rows = [(tagger.features([text]), label) for text, label in known]
    explained = tagger.explain(known[0][0])
    return {
        "reason_ms": median_ms(
            in_turn(rows, lambda X, label: tagger.model_.reasons(Request(X=X, k=5), [label])), repetitions
        ),
        "named_ms": median_ms(in_turn(known, lambda text, _: tagger.explain(text)), repetitions),
        "html_ms": median_ms(explained.to_html, repetitions),
    }


def in_turn(pairs: Sequence[tuple[Any, Any]], call: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    """A call for the next pair."""
    rest = itertools.cycle(pairs)
    return lambda: call(*next(rest))


if __name__ == "__main__":
    main()
