"""Settings of the presets, and the choice of the blend on held-out instances of known problems."""

import json

import numpy as np
import pytest
from sklearn.base import clone

import ramify
from ramify import Blend, Ensemble, InputError, NearestInstances, XRLinear, preset
from ramify.cli.entry import run
from ramify.errors import ModelFileError
from ramify.evaluation import evaluate, inverse_propensities
from ramify.exchange import CheckedTraining
from ramify.models.mixtures import choice
from ramify.models.presets import PRESETS
from ramify.values import as_csr
from ramify.wording import nearest_name


def _copies(seed):
    """Every test instance repeats a training instance: its labels are a matter of memory, not of weights."""
    rng = np.random.default_rng(seed)
    bases = rng.random((60, 40)) < 0.2
    labels = rng.random((60, 25)) < 0.12
    labels[np.arange(60), rng.integers(0, 25, 60)] = True
    drawn = rng.integers(0, 60, 400)
    X = bases[drawn] ^ (rng.random((400, 40)) < 0.01)
    return as_csr(X.astype(np.float32)), as_csr(labels[drawn].astype(np.float32))


def _linear(seed):
    """Every label has a word of its own, and instances share nothing else."""
    rng = np.random.default_rng(seed)
    Y = rng.random((400, 12)) < 0.2
    Y[np.arange(400), rng.integers(0, 12, 400)] = True
    X = np.hstack([Y, rng.random((400, 60)) < 0.2]).astype(np.float32)
    return as_csr(X), as_csr(Y.astype(np.float32))


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in ("semantic", "library")])
def test_every_preset_learns_and_keeps_seed_and_threads(name):
    model = preset(name, seed=3, threads=2)
    assert (model.seed, model.threads) == (3, 2)
    X, Y = _linear(0)
    assert model.fit(X[:300], Y[:300]).score(X[300:], Y[300:]) > 0.9


def test_the_default_is_the_default():
    assert preset("default").get_params() == XRLinear().get_params()


@pytest.mark.parametrize("name", ["bets", "", "Best"])
def test_unknown_presets(name):
    with pytest.raises(InputError, match="preset is"):
        preset(name)


def test_the_blend_listens_to_instances_only_where_they_help():
    assert Blend(seed=0, threads=1, held_out=0.3).fit(*_copies(0)).choice_.share > 0
    assert Blend(seed=0, threads=1, held_out=0.3).fit(*_linear(0)).choice_.share == 0


def test_nothing_held_out_chooses_nothing():
    model = Blend(held_out=0.0, trees=1, branching=4, max_leaf=5, beam=7, threads=1).fit(*_linear(0))
    plain = XRLinear(branching=4, max_leaf=5, beam=7, threads=1, tail_cost=0.0).fit(*_linear(0))
    assert (model.cost_, model.choice_.share, model.choice_.tail_rank) == (plain.cost_, 0.0, 0.0)
    X = _linear(1)[0]
    assert np.array_equal(model.predict_topk(X, 4).labels, plain.predict_topk(X, 4).labels)


def test_a_blend_is_saved_with_what_it_chose(tmp_path):
    X, Y = _copies(0)
    model = Blend(threads=1, held_out=0.3).fit(X, Y)
    model.save(tmp_path / "model")
    again = ramify.load(tmp_path / "model")
    assert (again.cost_, again.choice_, again.get_params()) == (model.cost_, model.choice_, model.get_params())
    one, two = model.predict_topk(X, 3), again.predict_topk(X, 3)
    assert np.array_equal(one.labels, two.labels) and np.array_equal(one.scores, two.scores)


def test_the_same_for_any_number_of_threads():
    X, Y = _copies(1)
    one, three = (Blend(threads=threads, held_out=0.3).fit(X, Y).predict_topk(X, 3) for threads in (1, 3))
    assert np.array_equal(one.labels, three.labels) and np.array_equal(one.scores, three.scores)


WRONG = [
    ("held_out", 1.0),
    ("held_out", -1),
    ("trees", 0),
    ("trees", 1.5),
    ("branching", 1),
    ("max_leaf", 0),
    ("max_leaf", "many"),
    ("beam", 0),
    ("tail_cost", -1),
    ("tail_rank", float("nan")),
    ("seed", -1),
    ("threads", 0),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_settings_out_of_range_raise_before_the_training_begins(name, value):
    reports = []
    with pytest.raises(InputError, match=name):
        Blend(**{name: value}).fit(*_linear(0), progress=lambda *report: reports.append(report))
    assert not reports


def test_the_compared_mixtures_are_those_of_the_ensemble():
    X, Y = _copies(2)
    tree, nearest = XRLinear(threads=1).fit(X, Y), NearestInstances(threads=1).fit(X, Y)
    tops = [member.predict_topk(X, 25) for member in (tree, nearest)]
    for share in (0.05, 0.4):
        mixed = Ensemble.of([tree, nearest], weights=[1 - share, share]).set_params(candidates=25).predict_topk(X, 5)
        assert np.array_equal(choice.merged(tops, [1 - share, share]).labels[:, :5], mixed.labels)


def _precisions(X, Y, model, shares):
    """Held-out mean of P@1, P@3 and P@5, in percent, of mixtures of a tree and nearest instances."""
    rest, held = CheckedTraining(X=X, Y=Y, seed=0, threads=1).split(0.3, 0)
    k = min(20, Y.shape[1])
    tree = clone(model.ensemble_.members_[0]).fit(rest.X, rest.Y)
    nearest = NearestInstances(threads=1).fit(rest.X, rest.Y)

    def precision(share):
        members, weights = ([tree, nearest], [1 - share, share]) if share else ([tree], [1.0])
        mixed = Ensemble.of(members, weights=weights).set_params(candidates=k)
        report = evaluate(held.Y, mixed.predict_topk(held.X, 5), ks=(1, 3, 5))
        return 100 * np.mean([float(report[f"P@{n}"]) for n in (1, 3, 5)])

    return {share: precision(share) for share in shares}


@pytest.mark.parametrize(("problem", "seed"), [(_copies, 0), (_copies, 2)])
def test_the_chosen_share_ranks_best_what_the_candidates_were_not_trained_on(problem, seed):
    X, Y = problem(seed)
    model = Blend(seed=0, threads=1, trees=1, held_out=0.3, tail_rank=0.0).fit(X, Y)
    found = _precisions(X, Y, model, choice.SHARES)
    worth = {share: value - choice.NEAREST_PRICE * (share > 0) for share, value in found.items()}
    assert model.choice_.share == max(worth, key=lambda share: worth[share])
    assert max(found.values()) - min(found.values()) > 1  # otherwise any choice would do


def test_a_member_that_gains_less_than_its_price_is_left_out(monkeypatch):
    X, Y = _copies(0)
    assert Blend(seed=0, threads=1, held_out=0.3).fit(X, Y).choice_.share > 0
    monkeypatch.setattr(choice, "NEAREST_PRICE", 100.0)
    assert Blend(seed=0, threads=1, held_out=0.3).fit(X, Y).choice_.share == 0


@pytest.mark.parametrize("held_out", [0.0, 0.3])
@pytest.mark.parametrize(
    ("max_leaf", "trees"), [(5, 3), (24, 3), (25, 1), (None, 1)], ids=["clusters", "two clusters", "flat", "few labels"]
)
def test_several_trees_are_considered_only_where_there_are_clusters(max_leaf, trees, held_out, monkeypatch):
    X, Y = _copies(0)
    assert len(np.unique(Y.indices)) == 25
    monkeypatch.setattr(choice, "TREE_PRICE", -100.0)
    model = Blend(seed=4, threads=1, trees=3, max_leaf=max_leaf, held_out=held_out).fit(X, Y)
    members = [member for member in model.ensemble_.members_ if isinstance(member, XRLinear)]
    assert model.choice_.trees == len(members) == trees
    assert [member.seed for member in members] == [4, 5, 6][:trees]
    assert {member.tree_.depth for member in members} == {1 if trees == 1 else 2}


def test_the_largest_tail_rank_that_loses_no_precision_is_chosen(monkeypatch):
    X, Y = _copies(0)
    trial = {name: Blend(seed=0, threads=1, held_out=0.3, tail_rank=name).fit(X, Y) for name in (0.0, 0.6)}
    assert [model.choice_.tail_rank for model in trial.values()] == [0.0, 0.6]
    monkeypatch.setattr(choice, "TAIL_PRICE", 100.0)
    assert Blend(seed=0, threads=1, held_out=0.3).fit(X, Y).choice_.tail_rank == 0.6


def test_the_beam_is_chosen_among_the_given_ones_where_there_are_clusters():
    X, Y = _copies(0)
    settings = {"seed": 0, "threads": 1, "held_out": 0.3, "branching": 4, "max_leaf": 5}
    assert Blend(**settings).fit(X, Y).choice_.beam in choice.BEAMS
    assert Blend(**settings, beam=3).fit(X, Y).choice_.beam == 3


def _tailed(**settings):
    X, Y = _copies(3)
    return Blend(tail_cost=0.5, tail_rank=0.6, threads=1, held_out=0.3, **settings).fit(X, Y), X, Y


def test_rare_labels_rise_by_their_propensity():
    model, X, Y = _tailed()
    weight = inverse_propensities(Y) ** 0.6
    factor = weight / weight.max()
    plain = model.ensemble_.predict_topk(X, 20)
    top = model.predict_topk(X, 4)
    for row in range(40):
        scored = [
            (-score * factor[label], place, label)
            for place, (label, score) in enumerate(zip(plain.labels[row], plain.scores[row], strict=True))
            if label >= 0
        ]
        best = sorted(scored)[:4]
        np.testing.assert_allclose(top.scores[row, : len(best)], [-score for score, _, _ in best], rtol=1e-5)
    assert {member.tail_cost for member in model.ensemble_.members_ if isinstance(member, XRLinear)} == {0.5}


def test_decisions_do_not_count_the_label_bias():
    model, X, _ = _tailed()
    assert (model.predict(X, threshold=0.4) != model.ensemble_.predict(X, threshold=0.4)).nnz == 0
    plain = model.ensemble_.predict_topk(X, 25)
    kept = (plain.labels >= 0) & (plain.scores >= np.float32(0.4))
    assert model.predict(X, threshold=0.4).nnz == kept.sum()


def test_a_tailed_blend_answers_alike_alone_restricted_and_from_its_directory(tmp_path):
    model, X, _ = _tailed()
    top = model.predict_topk(X, 4)
    ask = model.single(4)
    for row in range(30):
        labels, scores = ask(X[row].indices, X[row].data)
        assert np.array_equal(labels[0], top.labels[row]) and np.array_equal(scores[0], top.scores[row])
    best = int(top.labels[0, 0])
    assert best not in model.predict_topk(X[:1], 4, forbidden=[best]).labels
    model.save(tmp_path / "model")
    again = ramify.load(tmp_path / "model")
    assert again.get_params() == model.get_params()
    two = again.predict_topk(X, 4)
    assert np.array_equal(top.labels, two.labels) and np.array_equal(top.scores, two.scores)


def test_a_damaged_label_bias_is_refused():
    model, _, _ = _tailed()
    config, arrays = model.to_state()
    good = arrays["label_bias"]
    for bad in (good[:-1], good.astype(np.float64), np.full_like(good, np.nan), good + 1, -good, "text"):
        with pytest.raises(ModelFileError, match="damaged"):
            Blend.from_state(config, {**arrays, "label_bias": bad})
    with pytest.raises(ModelFileError, match="damaged"):
        Blend.from_state(config, {name: array for name, array in arrays.items() if name != "label_bias"})


def test_blends_from_before_the_tail_still_answer():
    X, Y = _copies(0)
    model = Blend(threads=1, held_out=0.3).fit(X, Y)
    config, arrays = model.to_state()
    for name in ("tail_cost", "tail_rank"):
        del config["settings"][name]
    old = Blend.from_state(config, arrays)
    assert np.array_equal(old.predict_topk(X, 3).labels, model.predict_topk(X, 3).labels)


def test_the_command_line_starts_from_a_preset(capsys):
    assert run(["train", "--preset", "fast", "--set", "epsilon=0.4", "--show-config"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["model"] == "xr-linear"
    assert shown["model_settings"] | {"negatives": "tfn", "epsilon": 0.4} == shown["model_settings"]
    assert run(["train", "--preset", "best", "--held-out", "0.2", "--show-config"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["model"], shown["model_settings"]["held_out"]) == ("blend", 0.2)
    assert run(["train", "--preset", "tail", "--tail-rank", "0.3", "--show-config"]) == 0
    shown = json.loads(capsys.readouterr().out)["model_settings"]
    assert (shown["tail_cost"], shown["tail_rank"]) == (0.5, 0.3)
    assert run(["train", "--preset", "bets", "--show-config"]) == 2
    assert "did you mean 'best'" in capsys.readouterr().err


def test_suggestions_are_alike():
    for name, near in (("defualt", "default"), ("Best", "best"), ("bset", "best")):
        assert nearest_name(name, PRESETS) in (near, None)
    assert nearest_name("defualt", PRESETS) == "default"
    assert nearest_name("DEFAULT", PRESETS) == "default"
    assert nearest_name("Nonexistant", ["Consultants", "Taxes"]) is None
    assert nearest_name("", PRESETS) is None
