"""ramify's taggers on all labels, seen in training or not: texts and names in; rankings and own label sets out.

    run_generation.py train|held-out|test MATRICES WORK THREADS SEED SETTINGS

``held-out`` and ``test`` answer the texts of ``held-out.json`` and ``test.json``. ``test`` also measures greedy
decoding, and generates with the true clusters of ``Y_test.npz`` where a model has clusters. ``top.npz`` has the arrays

labels, scores    shape (n, min(CANDIDATES, L)): best first, then -1 and -inf
own               shape (n, longest): the labels of the best sequence in their order, then -1; of XLGen
upper             the same with the true clusters
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from contest import Setup, cpu_seconds, measure_training
from run_tagger import Texts
from taggers import EVERY
from texts import texts

CANDIDATES = 100
"""Ranked labels per document. More than in other studies, because label sets are measured: the documents of
crs-bills-mini have 19 labels on average and up to 350."""
GREEDY = 500
"""Documents that the speed of greedy decoding is measured on."""


class NamedTexts(Texts):
    """Any of ``EVERY``, trained on texts, labels and label names."""

    def data(self, setup: Setup) -> Any:
        """A Dataset."""
        from ramify.values import Dataset

        names = json.loads((setup.matrices / "labels.json").read_text("utf-8"))
        return Dataset(texts=texts(setup, "train"), Y=setup.matrix("Y"), label_names=names)

    def train(self, data: Any, setup: Setup) -> Any:
        """A fitted tagger."""
        settings = dict(setup.settings)
        make = EVERY[settings.pop("system")]
        return make(setup.seed, setup.threads, settings).fit_dataset(data)


def main() -> None:
    task, matrices, work, threads, seed, settings = sys.argv[1:]
    setup = Setup(Path(matrices), Path(work), int(threads), int(seed), json.loads(settings))
    costs = measure_training(NamedTexts(), setup) if task == "train" else answer(setup, task)
    (setup.work / "costs.json").write_text(json.dumps(costs))


def answer(setup: Setup, part: str) -> dict[str, float]:
    """Write the answers for a part; the costs."""
    from ramify.generate import XLGen

    tagger = NamedTexts().load(setup)
    model, asked = tagger.model_, texts(setup, part)
    writes = isinstance(model, XLGen)
    warm_up(tagger, asked, setup)
    cpu, wall = cpu_seconds(), time.perf_counter()
    found = written(model, asked, setup) if writes else ranked(tagger, asked, setup)
    costs = {"answer_cpu_s": cpu_seconds() - cpu, "answer_wall_s": time.perf_counter() - wall, "answered": len(asked)}
    costs["weights"] = model.size().weights
    if writes and part == "test":
        costs |= greedy_speed(model, asked[:GREEDY], setup)
        found |= with_true_clusters(model, asked, setup)
    np.savez(setup.work / "top.npz", **found)
    return costs


def warm_up(tagger: Any, asked: list[str], setup: Setup) -> None:
    """Load what the model loads on first use, outside the clock: the network, and of generators the trie."""
    from ramify.generate import XLGen

    if isinstance(tagger.model_, XLGen):
        _ = tagger.model_._serving().trie
    else:
        ranked(tagger, asked[:1], setup)


def ranked(tagger: Any, asked: list[str], setup: Setup) -> dict[str, Any]:
    """The first labels of each text."""
    top = tagger.predict_topk(asked, CANDIDATES, threads=setup.threads)
    return {"labels": top.labels, "scores": top.scores}


def written(model: Any, asked: list[str], setup: Setup) -> dict[str, Any]:
    """The first labels of each text, and those of the best sequence, from one search for both."""
    from ramify.exchange import Request
    from ramify.generate.answering import ranked_labels

    request = model._checked_request(Request(texts=asked, threads=setup.threads))
    sequences = model._sequences(request)
    top = ranked_labels(sequences, min(CANDIDATES, model.n_labels_))
    own = padded([found[0].labels if found else [] for found in sequences])
    return {"labels": top.labels, "scores": top.scores, "own": own}


def greedy_speed(model: Any, asked: list[str], setup: Setup) -> dict[str, float]:
    """Seconds of generation with one sequence per text."""
    from ramify.exchange import Request

    begun = time.perf_counter()
    model.generated_sets(Request(texts=asked, threads=setup.threads, beam=1))
    return {"greedy_wall_s": time.perf_counter() - begun, "greedy": len(asked)}


def with_true_clusters(model: Any, asked: list[str], setup: Setup) -> dict[str, Any]:
    """The sets that a guided model generates with the clusters of the true labels; nothing for other models."""
    from ramify.exchange import Request

    if model.variant == "base":
        return {}
    clusters = model.true_clusters(setup.matrix("Y_test"))
    sets = model.generated_sets(Request(texts=asked, threads=setup.threads), clusters=clusters)
    return {"upper": padded(np.split(sets.indices, sets.indptr[1:-1]))}


def padded(rows: list[Any]) -> Any:
    """Rows of labels as an int32 array, -1 after the last one."""
    table = np.full((len(rows), max([1, *map(len, rows)])), -1, np.int32)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


if __name__ == "__main__":
    main()
