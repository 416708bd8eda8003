"""A fit that is interrupted at any report of its progress leaves a fitted model as it was, and a new one unfitted."""

import pytest
from sklearn.exceptions import NotFittedError

from ramify import (
    Blend,
    CompositeChain,
    Disentangled,
    Ensemble,
    LabelChain,
    NearestInstances,
    Partitioned,
    ReinforcedChain,
    XRLinear,
)
from ramify.models import PopularLabels
from ramify.testing.values import checkerboard, planted_clusters, same

TREE = {"branching": 3, "max_leaf": 4, "threads": 1}
CHAIN = {"embedding": 4, "hidden": 4, "epochs": 2, "warmup": 0, "threads": 1}
MODELS = {
    "XRLinear": lambda: XRLinear(**TREE),
    "Blend": lambda: Blend(**TREE, tail_rank=0.3),
    "Disentangled": lambda: Disentangled(XRLinear(**TREE), rounds=3, warm_start=True, threads=1),
    "Partitioned": lambda: Partitioned(max_leaf=4, threads=1),
    "Ensemble": lambda: Ensemble([XRLinear(**TREE), NearestInstances()], trees=2, threads=1),
    "NearestInstances": lambda: NearestInstances(threads=1),
    "PopularLabels": PopularLabels,
    "LabelChain": lambda: LabelChain(**CHAIN),
    "ReinforcedChain": lambda: ReinforcedChain(LabelChain(**CHAIN), epochs=1, threads=1),
    "CompositeChain": lambda: CompositeChain(
        LabelChain(**CHAIN), ReinforcedChain(LabelChain(**CHAIN), epochs=1), threads=1
    ),
}


def interrupted(model, problem, n_reports):
    """Fit, with Ctrl-C at the report after the given number of them; False if the fit ends before.

    The number of reports depends on time: the solver reports at most ten times a second.
    """
    reports = []

    def progress(stage, done):
        if len(reports) == n_reports:
            raise KeyboardInterrupt
        reports.append(stage)

    try:
        model.fit(problem.X, problem.Y, progress=progress)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("name", MODELS)
def test_an_interrupted_fit_changes_nothing(name):
    if "Chain" in name:
        pytest.importorskip("torch", reason="needs the extra torch")
    first, second = planted_clusters(4, 3), checkerboard()
    assert first.X.shape[1] != second.X.shape[1]
    model = MODELS[name]().fit(first.X, first.Y)
    state, top = repr(model.to_state()[0]), model.predict_topk(first.X_test, 3)
    n_reports = 0
    while interrupted(model, second, n_reports):
        assert repr(model.to_state()[0]) == state
        assert same(model.predict_topk(first.X_test, 3), top)
        n_reports += 1
    assert n_reports > 0
    while not interrupted(fresh := MODELS[name](), second, n_reports):
        n_reports -= 1
    with pytest.raises(NotFittedError):
        fresh.predict_topk(second.X, 1)
