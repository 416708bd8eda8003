"""Chains learn rules between labels; searches add up; runs can be repeated, cut and looked into."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ramify import CompositeChain, InputError, LabelChain, ModelFileError, ReinforcedChain, Tagger, XRLinear
from ramify.chains import OwnOrder, look, order_statistics
from ramify.chains.composite import combined
from ramify.chains.decoding import decode, marginals
from ramify.chains.network import ChainNetwork, Shape
from ramify.chains.sequences import features
from ramify.chains.stages import warmed_up
from ramify.chains.stored import stored_network
from ramify.chains.supervised import ChainData, closed
from ramify.chains.warmup import LabelwiseTask
from ramify.exchange import CheckedTraining
from ramify.label_vectors import unit_vectors
from ramify.testing.values import planted_clusters
from ramify.torchloop import Environment, Shard
from ramify.torchloop.randomness import generator

SMALL = {"embedding": 16, "hidden": 48, "dropout": 0.1, "feature_dropout": 0.0, "batch_size": 32, "average": 0.9}
SMALL |= {"epochs": 15, "learning_rate": 0.02, "draws": 4, "threads": 1}
PROBLEM = planted_clusters(4, 3)


def hidden_coins(n, seed):
    """Three families of nine labels; the input tells the family, but which three labels of it come is a die's throw.

    Each label alone has probability 1/3: whoever judges labels one by one can never know that they come in threes.
    """
    rng = np.random.default_rng(seed)
    family, die = rng.integers(0, 3, n), rng.integers(0, 3, n)
    X = np.eye(3, dtype=np.float32)[family] + rng.normal(0, 0.05, (n, 3)).astype(np.float32)
    Y = np.zeros((n, 27), np.float32)
    Y[np.arange(n)[:, None], (family * 9 + die * 3)[:, None] + np.arange(3)] = 1
    return X, Y


def follows_the_rule(found):
    """Share of predicted sets that are one of the threes, whole."""
    threes = found.toarray().reshape(len(found.toarray()), 9, 3)
    return float(((threes.sum(axis=2) == 3).sum(axis=1) == 1).mean() * (threes.sum(axis=(1, 2)) == 3).mean())


@pytest.mark.parametrize("order", ["resequenced", "rare-first"])
def test_a_chain_learns_a_rule_that_independent_classifiers_cannot(order):
    (X, Y), (X_test, _) = hidden_coins(600, 0), hidden_coins(300, 1)
    chain = LabelChain(**SMALL | {"order": order, "held_out": 0.0}).fit(X, Y)
    assert follows_the_rule(chain.predict_sets(X_test)) >= 0.97
    independent = XRLinear(threads=1, loss="logistic", score_transform="sigmoid").fit(X, Y)
    thresholds = np.linspace(0.02, 0.6, 59)
    best = max(follows_the_rule(independent.predict(X_test, threshold=threshold)) for threshold in thresholds.tolist())
    assert best <= 0.4  # a lucky threshold may part the threes of one family


def tiny_network(n_labels=3, seed=0):
    network = ChainNetwork(Shape(n_features=4, n_labels=n_labels, embedding=3, hidden=5), "cpu", generator(seed))
    return network.double().requires_grad_(False)


def enumerated(network, X):
    """Probability of every sequence of one instance, label by label."""
    found = {}
    for length in range(network.stop + 1):
        for labels in itertools.permutations(range(network.stop), length):
            encoded = network.encode(X)
            read = torch.tensor([[network.stop, *labels]])
            logits = network.logits(network.states(encoded, read, network.first_state(encoded))[0][0]).numpy()
            probability = 1.0
            for step, label in enumerate([*labels, network.stop]):
                logits[step, list(labels[:step])] = -np.inf
                shares = np.exp(logits[step] - logits[step].max())
                probability *= shares[label] / shares.sum()
            found[labels] = probability
    return found


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_the_mass_of_all_sequences_and_a_wide_beam_finds_the_best(seed):
    network = tiny_network(seed=seed)
    X = features(sp.csr_matrix(np.random.default_rng(seed).random((3, 4)).astype(np.float32)), network.output)
    none = torch.zeros(3, dtype=torch.bool)
    decoded = decode(network, X, never=none, beam=100, longest=3)
    scores = marginals(network, X, never=none, draws=3000, longest=3)
    for row in range(3):
        single = sp.csr_matrix(np.random.default_rng(seed).random((3, 4)).astype(np.float32))[row]
        known = enumerated(network, features(single, network.output))
        assert sum(known.values()) == pytest.approx(1)
        wanted = [sum(p for labels, p in known.items() if label in labels) for label in range(3)]
        assert np.allclose(scores[row], wanted, atol=0.01)
        best = max(known, key=known.get)
        assert tuple(label for label in decoded.labels[row] if label >= 0) == best
        assert decoded.probabilities[row] == pytest.approx(known[best])


def test_what_is_closed_at_each_step():
    targets = torch.tensor([[2, 0, 4], [1, 4, -1]])
    never = torch.tensor([False, False, False, True])
    found = closed(targets, never).int().tolist()
    assert found[0] == [[0, 0, 0, 1, 0], [0, 0, 1, 1, 0], [1, 0, 1, 1, 0]]
    assert found[1] == [[0, 0, 0, 1, 0], [0, 1, 0, 1, 0], [0, 1, 0, 1, 1]]
    assert closed(targets, never, torch.tensor([0, 3, 4])).int().tolist()[0] == [[0, 1, 0], [0, 1, 0], [1, 1, 0]]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "remaining"),
        ({"order": "rare-first"}, "next"),
        ({"order": OwnOrder(list(range(12)))}, "next"),
        ({"targets": "next"}, "next"),
        ({"order": "random", "targets": "remaining"}, "remaining"),
    ],
)
def test_targets_follow_from_the_order_unless_they_are_given(settings, wanted):
    training = CheckedTraining(X=sp.csr_matrix(PROBLEM.X), Y=sp.csr_matrix(PROBLEM.Y), seed=0, threads=1)
    assert LabelChain(**settings).training_data(training, None).targets == wanted


def test_a_fit_from_a_network_after_its_warmup_equals_a_whole_fit():
    settings = SMALL | {"warmup": 3, "epochs": 2, "hidden": 16}
    training = CheckedTraining(X=unit_vectors(sp.csr_matrix(PROBLEM.X)), Y=sp.csr_matrix(PROBLEM.Y), seed=0, threads=1)
    parts = training.split(0.1, 0)
    whole = LabelChain(**settings).fit_parts(*parts)
    chain = LabelChain(**settings)
    environment = Environment("cpu", 1)
    with environment.open():
        start = warmed_up(chain, chain.training_data(*parts), environment, lambda done: None, None)
    epochs = []
    chain.fit_parts(*parts, start=start, on_event=epochs.append)
    assert len(epochs) == 2
    for name, array in whole.arrays_.items():
        assert np.array_equal(array, chain.arrays_[name]), name


@pytest.mark.parametrize("killed_after", [2, 6], ids=["in the warm-up", "in the chain"])
def test_a_killed_fit_goes_on_to_the_same_model(tmp_path, killed_after):
    settings = SMALL | {"warmup": 4, "epochs": 5, "patience": 20, "hidden": 16}
    epochs = []
    whole = LabelChain(**settings).fit(PROBLEM.X, PROBLEM.Y, on_event=epochs.append)
    assert [event.epoch for event in epochs] == [0, 1, 2, 3, 0, 1, 2, 3, 4]

    def kill(event):
        seen.append(event)
        if len(seen) == killed_after:
            raise KeyboardInterrupt

    seen = []
    cut = LabelChain(**settings, checkpoint=str(tmp_path / "run"))
    with pytest.raises(KeyboardInterrupt):
        cut.fit(PROBLEM.X, PROBLEM.Y, on_event=kill)
    rest = []
    cut.fit(PROBLEM.X, PROBLEM.Y, on_event=rest.append)
    assert rest == epochs[killed_after:]
    for name, array in whole.arrays_.items():
        assert np.array_equal(array, cut.arrays_[name]), name
    with pytest.raises(InputError, match="another run"):
        cut.set_params(hidden=17).fit(PROBLEM.X, PROBLEM.Y)


def test_a_path_and_a_gpu_in_the_settings_of_a_saved_chain(tmp_path):
    chain = LabelChain(**SMALL, checkpoint=tmp_path / "run").fit(PROBLEM.X, PROBLEM.Y)
    chain.set_params(device="cuda").save(tmp_path / "model")
    loaded = LabelChain.load(tmp_path / "model")
    assert (loaded.checkpoint, loaded.device) == (str(tmp_path / "run"), "auto")


def warmup_of(sampled, n=40, n_labels=400):
    rng = np.random.default_rng(0)
    Y = sp.csr_matrix((rng.random((n, n_labels)) < 0.02).astype(np.float32))
    X = sp.csr_matrix(rng.random((n, 10), np.float32))
    counts = np.asarray(Y.sum(axis=0)).ravel().astype(np.int64)
    data = ChainData(X=X, Y=Y, held=None, counts=counts, longest=20, dropout=0.0, feature_dropout=0.0, sampled=sampled)
    network = ChainNetwork(Shape(n_features=10, n_labels=n_labels, embedding=4, hidden=8), generator=generator(1))
    return LabelwiseTask(network, data)


def test_a_sample_of_labels_stands_for_all_in_the_warmup():
    def loss(sampled, step):
        task = warmup_of(sampled)
        # labels without instances are never sampled: leave them out of the whole, too
        total, count = task.loss(Shard(np.arange(40), (0, 0, step)))
        return total.item() / count, task

    whole, task = loss(0, 0)
    without = task.chain.logits(task.chain.encode(features(task.data.X, task.chain.output)))[:, :-1]
    whole -= torch.nn.functional.softplus(without[:, task.never]).sum().item() / 40
    some = np.mean([loss(60, step)[0] for step in range(60)])
    assert some == pytest.approx(whole, rel=0.02)


def test_a_chain_starts_from_what_the_warmup_has_learnt():
    settings = SMALL | {"epochs": 1, "hidden": 32}

    def quality(warmup):
        measures = []
        LabelChain(**settings, warmup=warmup).fit(
            PROBLEM.X, PROBLEM.Y, on_event=lambda event: measures.append(event.measure)
        )
        return measures[-1]

    assert quality(warmup=20) > quality(warmup=0) + 0.1


def test_rewards_improve_label_sets():
    X, Y = PROBLEM.X, PROBLEM.Y
    warm = LabelChain(order="random", **SMALL | {"warmup": 0, "epochs": 3, "average": 0.0, "held_out": 0.0})
    before = ReinforcedChain(warm, epochs=1, learning_rate=1e-8, anchor=0.0, threads=1).fit(X, Y)
    settings = {"epochs": 20, "learning_rate": 0.01, "anchor": 0.0, "samples": 4, "threads": 1, "reward": "set-f1"}
    after = ReinforcedChain(warm, **settings).fit(X, Y)

    def f1(model):
        found = model.predict_sets(X)
        return 2 * found.multiply(Y).sum() / (found.sum() + Y.sum())

    def exact(model):
        return float(np.mean(abs(model.predict_sets(X) - Y).sum(axis=1) == 0))

    assert f1(after) > f1(before) + 0.1
    other = ReinforcedChain(warm, **settings | {"reward": "exact-match"}).fit(X, Y)
    assert exact(other) > max(exact(before) + 0.2, exact(after) + 0.1)
    # a doubtful label increases the expected F1 of a set, and lowers the probability that the set is correct
    assert other.predict_sets(X).sum() < after.predict_sets(X).sum()


@pytest.mark.parametrize(("held_out", "kept"), [(0.2, True), (0.0, False)], ids=["held out", "none held out"])
def test_a_warm_start_is_kept_if_the_policy_gradient_ranks_held_out_instances_worse(held_out, kept):
    warm = LabelChain(**SMALL | {"epochs": 6, "held_out": held_out})
    model = ReinforcedChain(warm, epochs=1, learning_rate=1.0, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    start = warm.fit(PROBLEM.X, PROBLEM.Y)
    same = [np.array_equal(array, model.chain_.arrays_[name]) for name, array in start.arrays_.items()]
    assert all(same) if kept else not any(same[:3])


def test_the_weight_of_a_composite_is_fitted_on_held_out_instances():
    chain = LabelChain(**SMALL | {"epochs": 6})
    bad = ReinforcedChain(LabelChain(**SMALL | {"epochs": 1, "learning_rate": 1e-6}), epochs=1, learning_rate=1e-6)
    model = CompositeChain(chain, bad, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    assert model.weight_ <= 0.5
    blind = CompositeChain(chain, bad, held_out=0.0, threads=1).fit(PROBLEM.X, PROBLEM.Y)
    assert blind.weight_ == 0.5
    one, two = (member.decision_function(PROBLEM.X_test) for member in blind.members_)
    assert np.allclose(blind.decision_function(PROBLEM.X_test), (one + two) / 2, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_labels_never_seen_stay_so_under_any_weight(weight):
    first = np.array([[0.5, -np.inf, 0.1]], np.float32)
    second = np.array([[0.25, -np.inf, 0.3]], np.float32)
    found = combined(first, second, weight)
    assert found.dtype == np.float32 and found[0, 1] == -np.inf
    wanted = (1 - np.float32(weight)) * first[:, [0, 2]] + np.float32(weight) * second[:, [0, 2]]
    assert np.array_equal(found[:, [0, 2]], wanted)


@pytest.fixture(scope="module")
def fitted():
    return LabelChain(**SMALL | {"order": "frequent-first", "epochs": 6}).fit(PROBLEM.X, PROBLEM.Y)


def test_an_own_order_is_followed(fitted):
    labels = np.random.default_rng(0).permutation(12)
    own = LabelChain(**SMALL | {"order": OwnOrder(labels.tolist())}).fit(PROBLEM.X, PROBLEM.Y)
    place = np.argsort(labels)
    rows = [row for row in own.chains(PROBLEM.X_test) if len(row) == 2]
    assert np.mean([place[row[0]] < place[row[1]] for row in rows]) >= 0.95


def probability_of_the_best(chain, x):
    network = stored_network(chain.arrays_, "cpu")
    never = torch.from_numpy(chain.label_counts_ == 0)
    read = features(sp.csr_matrix(x), network.output)
    return float(decode(network, read, never=never, beam=4, longest=chain.longest_).probabilities[0])


def test_a_look_inside(fitted, tmp_path):
    names = [f"label {number}" for number in range(12)]
    view = look(fitted, PROBLEM.X_test[0], label_names=names)
    emitted = fitted.chains(PROBLEM.X_test[0])[0]
    assert list(view.names) == [names[label] for label in emitted] + ["STOP"]
    most = [label for step in view.moved for label in [view.leading[int(step.argmax())]]]
    assert most == list(view.names)  # one step after another the most probable one
    best = probability_of_the_best(fitted, PROBLEM.X_test[0])
    assert 0 < float(np.prod(view.probabilities)) <= best + 1e-9
    assert view.names[0] in str(view)
    pytest.importorskip("matplotlib")
    view.picture(tmp_path / "chain.svg")
    assert "<svg" in (tmp_path / "chain.svg").read_text()
    odd = [f"$\\frac{{ {number}\n" for number in range(12)]
    view = look(fitted, PROBLEM.X_test[0], label_names=odd)
    assert len(str(view).splitlines()) == len(view.names)
    view.picture(tmp_path / "odd.svg")
    with pytest.raises(InputError, match="one instance"):
        look(fitted, PROBLEM.X_test[:2])
    with pytest.raises(InputError, match="label names"):
        look(fitted, PROBLEM.X_test[0], label_names=names[:-1])


def test_order_statistics_by_hand(fitted, monkeypatch):
    rows = [[0, 1, 2], [1, 0], [0, 1], [3]]
    monkeypatch.setattr(LabelChain, "chains", lambda self, X: rows)
    found = order_statistics(fitted, PROBLEM.X_test[:4])
    assert found.emitted.tolist() == [3, 3, 1, 1] + [0] * 8
    assert found.mean_place[:4].tolist() == pytest.approx([1 / 3, 0.5, 1, 0])
    assert found.n_pairs == 1  # 0 and 1 occur together three times, other pairs once
    assert (found.changing_pairs, found.minority) == (1.0, pytest.approx(1 / 3))
    assert "occur in both orders" in str(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("targets", "all"),
        ("embedding", 0),
        ("hidden", 1.5),
        ("dropout", 1.0),
        ("draws", 0),
        ("sampled", -1),
        ("longest", 0),
        ("held_out", 1.0),
        ("device", "tpu"),
        ("checkpoint", 3),
        ("learning_rate", "fast"),
    ],
)
def test_settings_out_of_range(name, value):
    with pytest.raises(InputError, match=name):
        LabelChain(**{name: value}).fit(PROBLEM.X, PROBLEM.Y)


def test_a_composite_refuses_a_member_of_another_kind():
    with pytest.raises(InputError, match="resequenced is 0, but must be a LabelChain"):
        CompositeChain(resequenced=0).fit(PROBLEM.X, PROBLEM.Y)


@pytest.mark.parametrize("damage", ["missing", "shape", "dtype", "nan", "sizes", "settings", "counts", "history"])
def test_damaged_states_are_refused(fitted, damage):
    config, arrays = fitted.to_state()
    arrays = dict(arrays)
    if damage == "missing":
        del arrays["network/embedding"]
    elif damage == "shape":
        arrays["network/output"] = arrays["network/output"][:-1]
    elif damage == "dtype":
        arrays["network/output"] = arrays["network/output"].astype(np.float64)
    elif damage == "nan":
        arrays["network/see.bias"] = np.full_like(arrays["network/see.bias"], np.nan)
    elif damage == "counts":
        arrays["label_counts"] = -arrays["label_counts"]
    elif damage == "sizes":
        config = {**config, "sizes": {**config["sizes"], "hidden": 2**40}}
    elif damage == "settings":
        config = {**config, "settings": {**config["settings"], "order": "backwards"}}
    else:
        config = {**config, "history": [["good"]]}
    with pytest.raises(ModelFileError) as caught:
        LabelChain.from_state(config, arrays)
    assert "\n" not in str(caught.value)


def test_texts_through_a_tagger(tmp_path):
    texts, labels = ["red apple", "green pear", "red pear", "green apple"] * 6, [["R"], ["G"], ["R"], ["G"]] * 6
    tagger = Tagger(LabelChain(**SMALL | {"hidden": 16, "held_out": 0.0})).fit(texts, labels)
    assert tagger.tag(["red", "green pear"], k=1)[0][0][0] == "R"
    tagger.save(tmp_path / "model")
    import ramify

    assert ramify.load(tmp_path / "model").tag(texts[:4], k=2) == tagger.tag(texts[:4], k=2)


def test_importing_brings_no_torch():
    code = "import sys, ramify; ramify.LabelChain(); ramify.chains; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
