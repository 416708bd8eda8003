"""Weights and exponents of a fusion: on data where the right ones are known, with noise, and with few documents."""

import numpy as np
import pytest

import ramify
from ramify import Fusion, NearestInstances, PopularLabels, TopK, XRLinear
from ramify.cli.fuse import fusion_text
from ramify.errors import InputError, ModelFileError, RamifyWarning
from ramify.exchange import Request, Training
from ramify.models.mixtures import fusion_fit
from ramify.models.mixtures.fusion import Trial
from ramify.models.mixtures.fusion_fit import FEWEST, Candidates, Parameters, fit, fitted, power_of
from ramify.models.mixtures.fusion_report import MEASURED, FusionReport
from ramify.models.mixtures.merging import Power
from ramify.testing.values import planted_clusters
from ramify.values import as_csr

L, N_TRUE = 40, 3
NEAREST = NearestInstances()


def rankings(scores):
    """Labels and scores of dense scores, shape (n, L), best first."""
    labels = np.argsort(-scores, axis=1, kind="stable").astype(np.int32)[:, :20]
    return labels, np.take_along_axis(scores, labels, axis=1)


def candidates(members, Y, measure="ndcg"):
    found = [rankings(one) for one in members]
    return Candidates.of(np.stack([f[0] for f in found], 1), np.stack([f[1] for f in found], 1), Y, measure)


def problem(n=600, seed=0, weights=(0.7, 0.3), exponents=(1.0, 3.0), noise=0):
    """Members with independent scores; the true labels are those of the largest weighted sum of powers."""
    rng = np.random.default_rng(seed)
    members = [rng.random((n, L)) for _ in weights]
    best = sum(w * one**e for w, one, e in zip(weights, members, exponents, strict=True))
    truth = np.zeros((n, L))
    np.put_along_axis(truth, np.argsort(-best, axis=1)[:, :N_TRUE], 1, axis=1)
    return members + [rng.random((n, L)) for _ in range(noise)], as_csr(truth.astype(np.float32))


def test_the_right_weights_and_exponents_are_found():
    members, Y = problem()
    found = candidates(members, Y)
    result = fit(found)
    assert result.how == "fitted"
    right = found.quality(Parameters((0.7, 0.3), (1.0, 3.0)))
    assert right > 0.99
    assert found.quality(result.parameters) > right - 0.01
    assert found.quality(Parameters.equal([0, 1], 2)) < right - 0.03
    heavier, lighter = result.parameters.weights
    assert heavier > lighter
    assert result.parameters.exponents[1] > result.parameters.exponents[0]
    assert result.qualities.mean() == pytest.approx(right, abs=0.03), "measured on the other half"


@pytest.mark.parametrize("measure", ["ndcg", "f1"])
def test_noise_gets_no_weight(measure):
    members, Y = problem(noise=2)
    result = fit(candidates(members, Y, measure))
    assert result.parameters.weights[2:] == (0.0, 0.0)
    assert min(result.parameters.weights[:2]) > 0.05
    added = result.added.mean(axis=1)
    assert min(added[:2]) > 0.02
    assert max(abs(added[2:])) < 0.02


@pytest.mark.parametrize("seed", range(6))
def test_a_fit_is_never_worse_than_the_best_member_on_its_documents(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(FEWEST, 300))
    Y = as_csr((rng.random((n, L)) < 0.08).astype(np.float32))
    members = [np.asarray(Y.todense()) * rng.random() + rng.random((n, L)) for _ in range(int(rng.integers(2, 5)))]
    found = candidates(members, Y)
    alone = [found.quality(Parameters.equal([one], len(members))) for one in range(len(members))]
    assert found.quality(fit(found).parameters) >= max(alone) - 1e-12
    assert found.quality(fitted(found, range(len(members)))) >= max(alone) - 1e-12


def test_members_that_only_fit_by_chance_do_not_lower_the_quality_on_new_documents():
    members, Y = problem(n=FEWEST + 20, noise=6, weights=(1.0,), exponents=(1.0,), seed=3)
    chosen = fit(candidates(members, Y)).parameters
    fresh, truth = problem(n=2000, noise=6, weights=(1.0,), exponents=(1.0,), seed=4)
    there = candidates(fresh, truth)
    assert there.quality(chosen) > there.quality(Parameters.equal([0], 7)) - 0.01


def test_few_documents_have_equal_weights():
    members, Y = problem(n=FEWEST - 1)
    result = fit(candidates(members, Y))
    assert (result.how, result.parameters) == ("equal", Parameters((0.5, 0.5), (1.0, 1.0)))


def test_qualities_equal_the_measures_of_evaluation():
    members, Y = problem(n=50)
    top = TopK(*(part.astype(kind) for part, kind in zip(rankings(members[0]), (np.int32, np.float32), strict=True)))
    one = Parameters.equal([0], 1)
    report = ramify.evaluate(Y, top, ks=(5, 10))
    assert candidates(members[:1], Y).quality(one) == pytest.approx(float(report["nDCG@10"]), abs=1e-6)
    hits = np.array([len(set(top.labels[row, :5]) & set(Y[row].indices)) for row in range(50)])
    assert candidates(members[:1], Y, "f1").quality(one) == pytest.approx((2 * hits / (5 + N_TRUE)).mean())


@pytest.mark.parametrize(
    ("scores", "kind"), [([3.0, 1.0, 0.0], "positive"), ([-0.1, -2.0, -9.0], "log"), ([2.0, -1.0, -3.0], "margin")]
)
def test_scores_are_made_comparable(scores, kind):
    labels, given = np.array([[4, 2, 7]], np.int32), np.array([scores], np.float32)
    power = power_of(labels, given)
    assert power.scores == kind
    values = power.values(given)[0]
    assert values[0] == pytest.approx(1)
    assert (np.diff(values) < 0).all()
    assert (values >= 0).all()
    assert (np.diff(Power(scores=kind, unit=power.unit, exponent=2.0).values(given)[0]) < 0).all()
    assert power.values(np.array([-np.inf], np.float32))[0] == 0


def data(n_clusters=8, per_cluster=30):
    return planted_clusters(n_clusters, per_cluster)


def test_a_fusion_leaves_out_a_member_that_adds_nothing():
    found = data()
    model = Fusion([XRLinear(), PopularLabels()], threads=1).fit(found.X, found.Y)
    assert model.names_ == ["XRLinear"]
    assert [one.weight > 0 for one in model.report_.members] == [True, False]
    assert model.report_.documents >= FEWEST
    assert len(model.members_) == 1


def test_few_documents_give_a_warning_that_states_the_number():
    found = data()
    with pytest.warns(
        RamifyWarning, match=f"has {FEWEST - 1} documents with a label, but fits weights from {FEWEST} on"
    ):
        model = Fusion("xr-linear,nearest", threads=1).fit(found.X[: FEWEST - 1], found.Y[: FEWEST - 1])
    assert model.weights_.tolist() == [0.5, 0.5]
    assert model.report_.quality is None
    assert {(one.alone, one.added, one.low, one.high) for one in model.report_.members} == {(None,) * 4}
    text = fusion_text(model.report_)
    assert "not measured on 0 held-out documents (equal weights)" in text
    assert "0.00" not in text
    stored = model.report_.as_dict()
    assert FusionReport.from_dict(stored) == model.report_
    earlier = stored | {"quality": 0.0, "members": [one | dict.fromkeys(MEASURED, 0.0) for one in stored["members"]]}
    assert FusionReport.from_dict(earlier) == model.report_, "a directory of an earlier version"


def test_members_are_trained_on_all_documents_and_once_without_a_fold():
    fits = []

    class Counting(NearestInstances):
        def _learn(self, training):
            fits.append(len(training))
            super()._learn(training)

    rng = np.random.default_rng(0)
    n = 13_000
    X = as_csr(rng.random((n, 4), np.float32))
    Fusion([Counting()], threads=1).fit(X, X.toarray() > 0.1)
    assert len(fits) == 2
    assert fits[0] == pytest.approx(0.8 * n, rel=0.01)
    assert fits[1] == n


def test_refitted_keeps_the_parameters():
    found = data()
    model = Fusion("xr-linear,nearest", threads=1).fit(found.X, found.Y)
    again = model.refitted(Training(X=found.X[:100], Y=found.Y[:100], threads=1))
    assert again.weights_.tolist() == model.weights_.tolist()
    assert again.powers_ == model.powers_
    assert model.predict_topk(found.X_test, 3).labels.shape == again.predict_topk(found.X_test, 3).labels.shape


def test_a_loaded_fusion_has_the_report(tmp_path):
    found = data()
    model = Fusion("xr-linear,nearest", threads=1).fit(found.X, found.Y)
    model.save(tmp_path / "m")
    loaded = ramify.load(tmp_path / "m")
    assert loaded.report_ == model.report_
    assert loaded.powers_ == model.powers_
    assert FusionReport.from_dict(model.report_.as_dict()) == model.report_


def test_a_damaged_report_is_refused():
    found = data()
    config, arrays = Fusion("nearest", threads=1).fit(found.X, found.Y).to_state()
    for damage in ({"weights": []}, {"weights": ["a"]}, {"report": {}}, {"powers": [{"scores": "x"}]}, {"names": [1]}):
        with pytest.raises(ModelFileError, match="the fusion is"):
            Fusion.from_state(config | damage, arrays)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ("xr-linar", "the member 'xr-linar' is no model, .* did you mean 'xr-linear'"),
        ([], "members is empty"),
        ([3], "models contains 3"),
        ("semantic", "Fusion requires label_names"),
        ("nearest:power=x", "power of the member nearest is 'x'"),
        ("nearest:power=-1", "power of the member nearest is -1"),
        ("nearest:pover=1", "the member nearest has no setting 'pover': did you mean 'power'"),
        ("lexical:seed", "lexical has the setting seed without a value: write lexical:seed=VALUE, or leave it out"),
        ("nearest:tree=1", "the member nearest has no setting 'tree': ramify settings nearest-instances lists them"),
        ("nearest:power", "nearest has the setting power without a value: write nearest:power=VALUE"),
        ("nearest:power=1:power=2", "has the setting power twice"),
        (",,", "members is ',,', which has an empty name: write names with one comma between them"),
        ("xr-linear,,nearest", "which has an empty name"),
        ("", "members is '', which has an empty name"),
        (":", "which has an empty name"),
        ("tree", "the member 'tree' is no model, no preset .fast, default, semantic, best, tail., and no directory"),
        ("models/tree", "the member 'models/tree' is no directory: give the directory of a saved model"),
        ("xr-linear,xr-linear", "members contains 'xr-linear', twice: leave one out, or give it other settings"),
        ("default,nearest,xr-linear", "members contains 'default' and 'xr-linear', which are the same model"),
        ([NEAREST, NEAREST], "members contains one NearestInstances object twice"),
        ("library", "is a preset that is a fusion itself"),
    ],
)
def test_wrong_members(members, message):
    found = data(3, 5)
    with pytest.raises(InputError, match=message):
        Fusion(members).fit(found.X, found.Y)


def test_settings_follow_the_name_of_a_member():
    model = Fusion("nearest-instances:neighbours=7:power=2,xr-linear:max-leaf=none", seed=5)
    nearest, tree = model._models()
    assert (nearest.neighbours, nearest.power) == (7, 2.0)
    assert (tree.max_leaf, tree.seed) == (None, 5)


def test_labels_of_held_out_documents_only_are_left_out_of_a_trial():
    top = TopK(np.array([[1, 0, -1]], np.int32), np.array([[2.0, 1.0, -np.inf]], np.float32))
    trial = Trial([top], as_csr([[1, 1]])).among(np.array([True, False]))
    assert trial.tops[0].labels.tolist() == [[-1, 0, -1]]
    assert trial.truth.toarray().tolist() == [[1, 0]]


def test_the_score_is_the_weighted_sum_of_powers():
    found = data()
    model = Fusion([XRLinear(), NearestInstances()], threads=1).fit(found.X, found.Y)
    model.members_ = [XRLinear(threads=1).fit(found.X, found.Y), NearestInstances(threads=1).fit(found.X, found.Y)]
    model.weights_ = np.array([0.6, 0.4])
    model.powers_ = (Power(scores="positive", unit=0.8, exponent=2.0), Power(scores="positive", unit=1.0, exponent=0.5))
    top = model.answer(Request(X=found.X_test[:1], k=3))
    tops = [member.predict_topk(found.X_test[:1], model.n_labels_) for member in model.members_]
    dense = [np.zeros(model.n_labels_) for _ in tops]
    for one, own in zip(dense, tops, strict=True):
        one[own.labels[own.labels >= 0]] = own.scores[own.labels >= 0]
    wanted = 0.6 * (dense[0] / 0.8) ** 2 + 0.4 * dense[1] ** 0.5
    np.testing.assert_allclose(top.scores[0], np.sort(wanted)[::-1][:3], rtol=1e-5)


@pytest.mark.parametrize(("price", "kept"), [(0.001, 3), (0.05, 2), (2.0, 1)])
def test_a_member_that_adds_less_than_its_price_is_left_out(monkeypatch, price, kept):
    monkeypatch.setattr(fusion_fit, "PRICE", price)
    members, Y = problem(weights=(0.6, 0.33, 0.07), exponents=(1.0, 1.0, 1.0))
    assert len(fit(candidates(members, Y)).parameters.used) == kept


def test_errors_of_a_member_name_it():
    class Refusing(NearestInstances):
        def _learn(self, training):
            raise InputError("no instance has a feature: give other data")

    found = data()
    for n in (FEWEST - 1, len(found.Y.toarray())):
        with pytest.raises(InputError, match=r"^the member Refusing: no instance has a feature: give other data$"):
            Fusion([XRLinear(), Refusing()], threads=1).fit(found.X[:n], found.Y[:n])
