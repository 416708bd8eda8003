"""Tuning: folds, gains and their errors, the choice, limits, and the search as a whole."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("optuna")

from ramify import Dataset, InputError, MissingExtraError, TopK, evaluate
from ramify.cli.plan import Plan, Start
from ramify.models.presets import named
from ramify.tuning import Objective, Settings, Trial, tune
from ramify.tuning import folds as folds_of_tuning
from ramify.tuning import pace as pace_of_tuning
from ramify.tuning import search as search_of_tuning
from ramify.tuning import space as space_of_tuning
from ramify.tuning.evidence import Judged, estimated
from ramify.tuning.folds import HeldOut
from ramify.tuning.result import chosen, significance
from ramify.tuning.space import Space

WORDS = ("river", "lake", "smoke", "flame", "stone", "sand")


@pytest.fixture(autouse=True)
def no_static_vectors(monkeypatch, request):
    """Static vectors take most of the time; the tests of settings have them."""
    if "settings_file" not in request.node.name:
        monkeypatch.setattr(space_of_tuning, "find_spec", lambda name: None)


def order_matters(n=240, seed=0):
    """Texts whose label is the order of two words, which single words do not show."""
    rng = np.random.default_rng(seed)
    pairs = list(itertools.permutations(WORDS, 2))
    picked = rng.integers(0, len(pairs), n)
    texts = [f"{pairs[p][0]} {pairs[p][1]} {number}x" for number, p in enumerate(picked)]
    Y = sp.csr_matrix((np.ones(n, np.float32), (np.arange(n), picked)), shape=(n, len(pairs)))
    return Dataset(Y=Y, label_names=[" ".join(pair) for pair in pairs], texts=texts)


def unrelated(n=120, seed=0):
    """Features and labels that are independent of each other."""
    rng = np.random.default_rng(seed)
    X = sp.random(n, 30, 0.2, "csr", np.float32, rng)
    Y = sp.csr_matrix((rng.random((n, 8)) < 0.25).astype(np.float32))
    return Dataset(Y=Y, label_names=[str(label) for label in range(8)], X=X)


def rankings(n, n_labels, k, seed):
    rng = np.random.default_rng(seed)
    labels = np.stack([rng.permutation(n_labels)[:k] for _ in range(n)]).astype(np.int32)
    return TopK(labels, np.tile(np.arange(k, 0, -1, dtype=np.float32), (n, 1)))


@pytest.fixture
def judged():
    """The true labels, and two rankings of the same documents, judged in two folds."""
    rng = np.random.default_rng(3)
    assigned = rng.random((200, 12)) < 0.3
    assigned[:, 0] = True
    Y = sp.csr_matrix(assigned.astype(np.float32))
    tops = [rankings(200, 12, 5, seed) for seed in (1, 2)]
    objective = Objective.of("mean")

    def of(top):
        parts = (slice(0, 80), slice(80, 200))
        return [Judged.of(objective, Y[rows], TopK(top.labels[rows], top.scores[rows]), Y) for rows in parts]

    return Y, tops, objective, [of(top) for top in tops]


def test_measures_of_folds_are_those_of_all_their_documents(judged):
    Y, tops, objective, (first, _) = judged
    report = evaluate(Y, tops[0], Y_train=Y)
    found = estimated(objective, first)
    wanted = [100 * report[name] for name in objective.measures]
    assert found.values == pytest.approx(wanted, rel=1e-5)
    assert found.objective == pytest.approx(np.mean(wanted), rel=1e-5)
    assert found.n == 200


def test_the_error_of_a_mean_is_that_of_paired_differences(judged):
    Y, tops, objective, (first, second) = judged
    gain = estimated(objective, second, first)
    per_document = [evaluate(Y, top, Y_train=Y).per_document("P@3") for top in tops]
    differences = 100 * (per_document[1] - per_document[0])
    column = objective.measures.index("P@3")
    assert gain.values[column] == pytest.approx(differences.mean(), abs=1e-4)
    assert gain.errors[column] == pytest.approx(differences.std(ddof=1) / np.sqrt(200), rel=1e-4)


def test_the_error_of_a_ratio_is_that_of_resampled_documents(judged):
    _, _, objective, (first, second) = judged
    gain = estimated(objective, second, first)
    column = objective.measures.index("PSP@5")
    differences = np.vstack([b.numerators - a.numerators for a, b in zip(first, second, strict=True)])[:, column]
    best = np.vstack([part.denominators for part in first])[:, column]
    rows = np.random.default_rng(0).integers(0, 200, (4000, 200))
    resampled = 100 * differences[rows].sum(axis=1) / best[rows].sum(axis=1)
    assert gain.errors[column] == pytest.approx(resampled.std(), rel=0.06)


def judged_gain(values, n=2000, spread=0.2):
    """Default and candidate whose measures differ by these values, in percentage points."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, spread, (n, len(values)))
    noise -= noise.mean(axis=0)
    base = np.full((n, len(values)), 0.5)
    ones = np.ones((n, len(values)))
    return Judged(base, ones), Judged(base + noise + np.array(values) / 100, ones)


def trial(number, values, measure="mean", n=2000):
    base, candidate = judged_gain(values, n)
    objective = Objective.of(measure)
    return Trial(
        number=number,
        settings=Settings(model_settings={"beam": number}),
        state="complete",
        folds=1,
        measured=estimated(objective, [candidate]),
        gain=estimated(objective, [candidate], [base]),
        fold_seconds=1.0,
        finished=1.0,
    )


def test_a_gain_must_be_larger_than_noise():
    objective, default = Objective.of("mean"), trial(0, [0.0] * 5)
    error = trial(1, [1.0] * 5).gain.objective_error
    z = significance(1)
    assert z == pytest.approx(1.645, abs=1e-3)
    small, large = trial(1, [0.9 * z * error] * 5), trial(1, [1.1 * z * error] * 5)
    assert chosen([default, small], objective) is default
    assert chosen([default, large], objective) is large
    others = [trial(number, [-1.0] * 5) for number in range(2, 40)]
    assert chosen([default, large, *others], objective) is default  # one of 39 may be that good by chance


def test_no_measure_of_the_mean_may_become_lower():
    mixed = [3.0, 3.0, 3.0, 3.0, -0.1]
    default = trial(0, [0.0] * 5)
    assert chosen([default, trial(1, mixed)], Objective.of("mean")) is default
    default, other = (trial(number, values, "P@1") for number, values in ((0, [0.0] * 5), (1, mixed)))
    assert chosen([default, other], Objective.of("P@1")) is other


def test_the_largest_certain_gain_is_chosen():
    default, few, many = trial(0, [0.0] * 5), trial(1, [3.2] * 5, n=50), trial(2, [3.0] * 5)
    assert few.gain.objective > many.gain.objective
    assert chosen([default, few, many], Objective.of("mean")) is many


def test_every_document_is_held_out_once_and_never_beside_itself():
    dataset = order_matters(120)
    texts = [dataset.texts[row // 2] for row in range(120)]  # every text twice
    Y = dataset.Y.copy()
    Y = sp.vstack([Y[:-4], sp.csr_matrix((4, Y.shape[1]), dtype=np.float32)], format="csr")
    held_out = HeldOut(Dataset(Y=Y, label_names=dataset.label_names, texts=texts), seed=5)
    rows = np.concatenate([fold.held for fold in held_out.folds])
    assert len(held_out.folds) == 5
    assert sorted(rows) == list(range(116))  # those without a label are trained on only
    for fold in held_out.folds:
        assert sorted([*fold.held, *fold.rest]) == list(range(120))
        assert not {texts[row] for row in fold.held} & {texts[row] for row in fold.rest if row < 116}


def test_large_data_have_folds_of_limited_size(monkeypatch):
    monkeypatch.setattr(folds_of_tuning, "MOST_HELD_OUT", 10)
    held_out = HeldOut(unrelated(120), seed=0)
    assert [len(fold.held) for fold in held_out.folds] == pytest.approx([10] * 5, abs=1)
    assert all(len(fold.rest) + len(fold.held) == 120 for fold in held_out.folds)


def test_features_are_fitted_on_the_training_part_and_kept(monkeypatch):
    held_out, calls = HeldOut(order_matters(), seed=0), []
    before = HeldOut._vectorized
    monkeypatch.setattr(HeldOut, "_vectorized", lambda *given: calls.append(1) or before(*given))
    fold, settings = held_out.folds[1], Settings(tfidf={"min_df": 1})
    for _ in range(2):
        rest, held = held_out.features(settings, 1, 1, lambda stage, done: None)
    vectorizer = Settings(tfidf={"min_df": 1}).tagger().vectorizer
    wanted = vectorizer.fit_transform([held_out.dataset.texts[row] for row in fold.rest])
    assert (rest != wanted).nnz == 0
    assert held.shape == (len(fold.held), wanted.shape[1])
    assert len(calls) == 1
    monkeypatch.setattr(folds_of_tuning, "MOST_BYTES", 1)
    for number in (0, 1):
        held_out.features(settings, number, 1, lambda stage, done: None)
    assert len(calls) == 3
    assert len(held_out._features._pairs) == 1


def test_the_search_finds_what_the_default_lacks():
    tuned = tune(order_matters(), trials=25, model="xr-linear", threads=1)
    assert tuple(tuned.settings.tfidf["words"]) == (1, 2)
    assert tuned.best.gain.objective > 10
    assert "larger than noise" in tuned.reason()
    test = order_matters(200, seed=9)
    scores = [one.fit_dataset(order_matters()).evaluate(test)["P@1"] for one in (Settings().tagger(), tuned.tagger())]
    assert scores[1] > scores[0] + 0.2


def test_without_a_real_gain_the_default_is_kept():
    kept = [tune(unrelated(seed=seed), trials=15, threads=1, seed=seed).is_default for seed in range(3)]
    assert kept == [True] * 3


def test_worse_trials_are_stopped_early():
    trials = tune(order_matters(), trials=16, model="xr-linear", threads=1).trials
    stopped = [one for one in trials if one.state == "stopped early"]
    assert stopped
    assert {one.folds for one in stopped} <= {1, 2, 4}
    best_stopped_at_once = max((one.gain.score for one in stopped if one.folds == 1), default=-np.inf)
    assert best_stopped_at_once < max(one.gain.score for one in trials if one.state == "complete")


@pytest.mark.parametrize("make", [order_matters, unrelated])
def test_same_seed_and_trials_same_result(make):
    def plain(threads, seed=1):
        found = tune(make(120), trials=8, seed=seed, threads=threads).as_dict()
        found.pop("seconds")
        for one in found["trials"]:
            one.pop("fold_seconds"), one.pop("finished")
        return json.dumps(found)

    assert plain(1) == plain(1) == plain(2)
    assert plain(1, seed=2) != plain(1)


@pytest.fixture
def ticking(monkeypatch):
    """A clock that advances by one second at each look."""
    ticks = itertools.count()
    monkeypatch.setattr(pace_of_tuning.time, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(search_of_tuning.time, "monotonic", lambda: float(next(ticks)))
    return ticks


def test_the_search_ends_at_the_time_limit(ticking):
    tuned = tune(unrelated(), minutes=10, threads=1)
    assert tuned.stopped == "time"
    assert tuned.default.folds == 5
    assert next(ticking) < 600 + 30  # the looks after the end
    assert tuned.trials[-1].state == "out of time" or tuned.trials[-1].finished < 600


def test_a_limit_before_the_first_result_is_an_error(ticking):
    with pytest.raises(InputError, match=r"was not trained on 9\d documents within the limit of 0.05 minutes"):
        tune(unrelated(), minutes=0.05, threads=1)


def interrupting(at):
    looks = itertools.count(1)

    def progress(standing):
        if next(looks) == at:
            raise KeyboardInterrupt

    return progress


def test_ctrl_c_keeps_what_was_found():
    tuned = tune(order_matters(), trials=1000, model="xr-linear", threads=1, progress=interrupting(60))
    assert tuned.stopped == "interrupted"
    assert not tuned.is_default
    early = tune(unrelated(), trials=1000, threads=1, progress=interrupting(2))
    assert (early.stopped, early.is_default, early.default.folds) == ("interrupted", True, 2)


def test_ctrl_c_before_any_result_is_an_interrupt(monkeypatch):
    def interrupted(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(HeldOut, "judge", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(unrelated(), trials=3)


def test_settings_that_do_not_suit_the_data_are_passed_over():
    dataset = order_matters(90)
    texts = [f"{number}a {number}b" for number in range(90)]  # every word occurs once
    tuned = tune(Dataset(Y=dataset.Y, label_names=dataset.label_names, texts=texts), trials=14, threads=1)
    states = {one.state for one in tuned.trials}
    assert "failed" in states
    assert tuned.is_default
    assert len(tuned.trials) == 14


def test_optuna_stays_as_the_caller_left_it():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        tune(unrelated(), trials=3, threads=1)
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(optuna.logging.INFO)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"minutes": 0}, "minutes is 0, but must be above 0"),
        ({"minutes": -1}, "minutes is -1"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"trials": 0}, "trials is 0"),
        ({"measure": "p@5"}, "did you mean 'P@5'"),
        ({"measure": "P@0"}, "measure is 'P@0'"),
        ({"measure": "P@500"}, "cut-off from 1 to 100"),
        ({"measure": None}, "measure is None"),
        ({"model": "blnd"}, "did you mean 'blend'"),
        ({"seed": -1}, "seed is -1"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_arguments_out_of_range(given, words):
    with pytest.raises(InputError, match=words):
        tune(unrelated(), **given)


def test_too_few_documents():
    with pytest.raises(InputError, match="49 documents with a label, but tuning holds some out and needs at least 50"):
        tune(order_matters(49), trials=2)
    same = order_matters(60)
    with pytest.raises(InputError, match="are equal, so none can be held out"):
        tune(Dataset(Y=same.Y, label_names=same.label_names, texts=["a text"] * 60), trials=2)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(search_of_tuning, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "ramify\[tune\]"'):
        tune(unrelated(), trials=2)


def test_every_point_of_the_space_is_a_valid_settings_file():
    """Part by part the same objects as ``train --config`` builds."""
    rng = np.random.default_rng(0)
    for texts, model, n_labels in itertools.product((True, False), (None, "xr-linear", "blend"), (300, 3000)):
        dataset = order_matters() if texts else unrelated()
        space = replace(Space.of(dataset, model=model), n_labels=n_labels)
        parameters_of = (space.default_parameters(), *space.first(), *space.likely())
        points = [space.suggest(lambda name, values, p=p: p[name]) for p in parameters_of]
        assert points[0] == space.default()
        points += [space.suggest(lambda name, values: values[rng.integers(len(values))]) for _ in range(40)]
        for settings in points:
            content = json.loads(json.dumps(settings.content()))
            start = Start(content["model"], content.get("vectorizer", "tfidf"), named("default"), None, content)
            planned, own = Plan.of(start, {}, seed=7, threads=2).tagger(), settings.tagger(seed=7, threads=2)
            assert repr(sorted(parameters(planned.model).items())) == repr(sorted(parameters(own.model).items()))
            assert not texts or repr(parameters(planned.vectorizer)) == repr(parameters(own.vectorizer))


def parameters(part):
    """Settings of a part and of those inside it; a vectorizer passes ``threads`` on in ``fit``."""
    given = part.get_params()
    return {name: given[name] for name in given if not hasattr(given[name], "get_params") and "__threads" not in name}


def test_a_trial_that_was_stopped_early_is_not_chosen():
    default, whole, lucky = trial(0, [0.0] * 5), trial(1, [2.0] * 5), trial(2, [5.0] * 5)
    objective = Objective.of("mean")
    stopped, unfinished = (replace(lucky, state=state) for state in ("stopped early", "out of time"))
    assert chosen([default, stopped], objective) is default
    assert chosen([default, unfinished], objective) is unfinished
    assert chosen([default, whole, unfinished], objective) is whole


def test_the_search_goes_on_after_proposals_that_were_tried():
    """Optuna proposes the same settings again and again; another value of one parameter is tried then."""
    tuned = tune(unrelated(60), trials=60, model="blend", threads=1)
    keys = [one.settings.key for one in tuned.trials]
    assert len(keys) == len(set(keys)) == 5 * 3  # values of tail_cost and of tail_rank
    assert tuned.stopped == "exhausted"


def test_of_large_data_fewer_folds_are_held_out(monkeypatch):
    """The default takes 10 of 90 seconds per fold: one fold. What probably takes too long is not begun."""
    clock, tried = [0.0], []
    before = HeldOut.judge

    def slow(self, settings, number, *given, **named):
        clock[0] += 30.0 if settings.model == "blend" else 10.0
        tried.append((settings.model, clock[0]))
        return before(self, settings, number, *given, **named)

    monkeypatch.setattr(HeldOut, "judge", slow)
    monkeypatch.setattr(pace_of_tuning.time, "monotonic", lambda: clock[0])
    tuned = tune(unrelated(), minutes=1.5, threads=1)
    assert (tuned.folds, tuned.default.state) == (1, "complete")
    assert tuned.n_held == pytest.approx(24, abs=1)
    assert tuned.stopped == "time"
    assert clock[0] <= 90
    assert {model for model, begun in tried if begun > 80} <= {"xr-linear"}


def test_the_reason_counts_what_was_compared():
    tuned = tune(unrelated(), trials=3, threads=1)
    assert tuned.reason().startswith("The default is kept: 2 other choices of settings were compared on 114 held-out")
    alone = replace(tuned, trials=(tuned.default, replace(tuned.trials[1], gain=None, folds=0)), best=tuned.default)
    assert "no other settings were compared" in alone.reason()
    assert "one other choice of settings was compared" in replace(tuned, trials=tuned.trials[:2]).reason()
