"""The contestant of the study of label generation: how many labels it keeps, and what its clock counts."""

import importlib
import sys
from argparse import Namespace

import numpy as np
import pytest
from race_tools import BENCHMARKS

from ramify import TopK


@pytest.fixture
def contestant(tmp_path, monkeypatch):
    """The module of the contestant, and a setup for it."""
    names = ("contest", "texts", "taggers", "run_tagger", "run_generation")
    kept = {name: sys.modules.pop(name, None) for name in names}
    monkeypatch.syspath_prepend(str(BENCHMARKS / "contestants"))
    module = importlib.import_module("run_generation")
    yield module, module.Setup(tmp_path, tmp_path, 1, 0, {})
    for name, one in kept.items():
        sys.modules.pop(name, None)
        if one is not None:
            sys.modules[name] = one


class Ranker:
    """A tagger that notes in ``events`` how many texts it ranks how many labels for."""

    def __init__(self, model, events):
        self.model_, self.events = model, events

    def predict_topk(self, texts, k, threads):
        self.events.append(f"{len(texts)} texts, {k} labels")
        return TopK(np.zeros((len(texts), k), np.int32), np.zeros((len(texts), k), np.float32))


def test_each_system_of_the_study_ranks_a_hundred_labels(contestant):
    module, setup = contestant
    events = []
    assert module.ranked(Ranker(None, events), ["a", "b"], setup)["labels"].shape == (2, 100)
    assert events == ["2 texts, 100 labels"]
    for name in ("xlgen-constrained", "xlgen-reranked"):
        assert module.EVERY[name](0, 1, {}).model.candidates == 100
        changed = module.EVERY[name](0, 1, {"candidates": 30, "epochs": 3}).model
        assert (changed.candidates, changed.generator.epochs) == (30, 3)


@pytest.mark.parametrize(("writes", "first", "then"), [
    (True, "trie", "2 texts written"),
    (False, "1 texts, 100 labels", "2 texts, 100 labels"),
])  # fmt: skip
def test_the_first_use_of_a_model_is_outside_the_clock(contestant, monkeypatch, writes, first, then):
    from ramify.generate import XLGen

    module, setup = contestant
    events = []

    class Serving:
        trie = property(lambda self: events.append("trie"))

    model = XLGen() if writes else Namespace()
    model._serving, model.size = Serving, lambda: Namespace(weights=5)
    monkeypatch.setattr(module.NamedTexts, "load", lambda self, setup: Ranker(model, events))
    monkeypatch.setattr(module, "texts", lambda setup, part: ["a", "b"])
    monkeypatch.setattr(module, "written", lambda model, asked, setup: events.append("2 texts written") or {})
    monkeypatch.setattr(module, "cpu_seconds", lambda: events.append("clock") or 1.0)
    module.answer(setup, "held-out")
    assert events == [first, "clock", then, "clock"]
