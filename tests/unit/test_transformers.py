"""XTransformer, XRTransformer and FlatTransformer: what they learn, and that a fit is repeatable and can be resumed."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("transformers", reason="needs the extra torch")

import ramify
from ramify import FlatTransformer, Tagger, XRLinear, XRTransformer, XTransformer
from ramify.errors import InputError, ModelFileError
from ramify.exchange import Request, Training
from ramify.index import KMeansIndexer
from ramify.models.trees.disentangled import Disentangled
from ramify.testing.values import precision, same
from ramify.torchloop import Environment, LoopConfig
from ramify.transformers.encoder import EncoderConfig, load_encoder
from ramify.transformers.fine_tuning import FineTuning, held_out
from ramify.transformers.flat_task import FlatTask
from ramify.transformers.tokens import tokenized
from ramify.values import as_csr
from tiny_encoder import save_tiny_encoder

WORDS = [f"word{number}" for number in range(16)]
KINDS = {
    XRTransformer: {"branching": 4, "coarse_steps": 0.5},
    XTransformer: {"max_leaf": 1},
    FlatTransformer: {"chunk": 5, "dropout": 0.1},
}


def texts_of_order(n, seed):
    """Two words in a text; the labels are the first word and its group of four. tf-idf has no order."""
    rng = np.random.default_rng(seed)
    pairs = [rng.permutation(16)[:2] for _ in range(n)]
    texts = [f"{WORDS[first]} and {WORDS[second]}" for first, second in pairs]
    X, Y = np.zeros((n, 16), np.float32), np.zeros((n, 20), np.float32)
    for row, (first, second) in enumerate(pairs):
        X[row, [first, second]] = 1
        Y[row, [first, 16 + first // 4]] = 1
    return texts, as_csr(X), as_csr(Y)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), [" ".join([*WORDS, "and"])])


def fitted(kind, encoder, data, **settings):
    texts, X, Y = data
    usual = {"steps": 6, "batch_size": 32, "learning_rate": 3e-3, "held_out": 0.1, "threads": 1, **KINDS[kind]}
    return kind(encoder=encoder, **usual | settings).fit_training(Training(X=X, Y=Y, texts=texts))


def answered(model, data, k=3):
    return model.answer(Request(X=data[1], texts=data[0], k=k))


@pytest.mark.parametrize("kind", KINDS)
def test_word_order_is_learnt(kind, encoder):
    """P@1 of XRLinear on tf-idf is near one half of the first words; a fine-tuned encoder separates them."""
    train, test = texts_of_order(800, 0), texts_of_order(300, 1)
    linear = XRLinear(threads=1).fit(*train[1:])
    model = fitted(kind, encoder, train, steps=120, evaluate_every=40, ranker=XRLinear(max_leaf=4))
    before, after = (precision(top, test[2], 2) for top in (linear.predict_topk(test[1], 2), answered(model, test, 2)))
    assert before < 0.75
    assert after > 0.95
    for history in model.histories_:
        losses = [event.loss for event in history.evaluations]
        assert losses[-1] < 0.6 * losses[0] or losses[-1] < 0.05
        assert history.evaluations[-1].measure > 0.6


def test_the_published_heads_learn_word_order_and_resume(encoder, tmp_path):
    """Squared hinge, a linear solve as the start of each head, no dropout, equal steps."""
    train, test = texts_of_order(800, 0), texts_of_order(300, 1)
    recipe = {"loss": "squared-hinge", "bootstrap": True, "dropout": 0.0, "coarse_steps": 1.0, "steps": 60}
    model = fitted(XRTransformer, encoder, train, **recipe, ranker=XRLinear(max_leaf=4))
    assert precision(answered(model, test, 2), test[2], 2) > 0.9
    found = fitted(XRTransformer, encoder, train, **recipe | {"steps": 6}, checkpoint=str(tmp_path))
    again = fitted(XRTransformer, encoder, train, **recipe | {"steps": 6}, checkpoint=str(tmp_path))
    assert same(answered(found, test), answered(again, test))
    with pytest.raises(InputError, match="another run"):
        fitted(XRTransformer, encoder, train, **recipe | {"steps": 6, "bootstrap": False}, checkpoint=str(tmp_path))


def test_coarser_levels_have_a_share_of_the_steps(encoder):
    done = []
    data = texts_of_order(80, 0)
    training = Training(X=data[1], Y=data[2], texts=data[0], progress=lambda stage, share: done.append((stage, share)))
    model = XRTransformer(encoder=encoder, steps=8, coarse_steps=0.25, branching=4, batch_size=8, threads=1)
    model.fit_training(training)
    assert [history.evaluations[-1].step for history in model.histories_] == [2, 2, 8]
    tuned = [share for stage, share in done if stage == "fine-tune"]
    assert tuned == sorted(tuned)
    np.testing.assert_allclose(np.unique(tuned), np.arange(13) / 12, atol=1e-12)
    assert [share for stage, share in done if stage == "match"][-1] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_result_is_the_same_for_any_number_of_threads(kind, encoder):
    data = texts_of_order(150, 0)
    first, second = (fitted(kind, encoder, data, threads=threads) for threads in (1, 3))
    assert [list(one.evaluations) for one in first.histories_] == [list(one.evaluations) for one in second.histories_]
    for name, array in first.encoder_arrays_.items():
        np.testing.assert_array_equal(array, second.encoder_arrays_[name])
    assert same(answered(first, data), answered(second, data))


class StoppedError(Exception):
    """Raised in place of the kill of a process."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_that_is_stopped_again_and_again_ends_with_the_same_bits(kind, encoder, tmp_path, monkeypatch):
    data = texts_of_order(150, 0)
    settings = {"evaluate_every": 2, "batch_size": 16}
    whole = fitted(kind, encoder, data, **settings)
    settings["checkpoint"] = str(tmp_path / "run")
    calls = itertools.count()

    def stopping(self, rows, rate, processes, step=None):
        if next(calls) % 5 == 4:
            raise StoppedError
        original(self, rows, rate, processes)

    from ramify.transformers.fine_tuning import EncoderTask

    original = EncoderTask.after_step
    monkeypatch.setattr(EncoderTask, "after_step", stopping)
    stops = 0
    while True:
        try:
            resumed = fitted(kind, encoder, data, **settings)
            break
        except StoppedError:
            stops += 1
    assert stops >= len(whole.histories_)
    for name, array in whole.encoder_arrays_.items():
        np.testing.assert_array_equal(array, resumed.encoder_arrays_[name])
    assert resumed.histories_ == whole.histories_
    assert same(answered(whole, data), answered(resumed, data))
    count = next(calls)
    fitted(kind, encoder, data, **settings)  # all stages are finished
    assert next(calls) == count + 1


def test_the_checkpoint_of_another_run_is_an_input_error(encoder, tmp_path):
    data, where = texts_of_order(60, 0), str(tmp_path / "run")
    fitted(XTransformer, encoder, data, checkpoint=where, steps=2)
    for changed in ({"steps": 3}, {"learning_rate": 1e-4}, {"max_leaf": 2}, {"seed": 1}):
        with pytest.raises(InputError, match="holds the checkpoint of another run"):
            fitted(XTransformer, encoder, data, checkpoint=where, **{"steps": 2} | changed)
    with pytest.raises(InputError, match="holds the checkpoint of another run"):
        fitted(XTransformer, encoder, texts_of_order(60, 1), checkpoint=where, steps=2)
    fitted(XTransformer, encoder, data, checkpoint=where, steps=2, ranker=XRLinear(beam=2))  # not part of the run


def test_the_checkpoint_of_another_indexer_is_an_input_error(encoder, tmp_path):
    data, where = texts_of_order(60, 0), str(tmp_path / "run")
    indexers = [KMeansIndexer(branching=4, max_leaf=size) for size in (1, 1, 2)]
    for indexer in indexers[:2]:
        fitted(XTransformer, encoder, data, checkpoint=where, steps=2, preliminary_indexer=indexer)
    with pytest.raises(InputError, match="holds the checkpoint of another run"):
        fitted(XTransformer, encoder, data, checkpoint=where, steps=2, preliminary_indexer=indexers[2])


def test_labels_with_copies(encoder):
    data = texts_of_order(200, 0)
    model = fitted(XRTransformer, encoder, data, copies=2, ranker=XRLinear(branching=4, max_leaf=4))
    assert isinstance(model.ranker_, Disentangled)
    assert model.ranker_.tree_.overlapping
    assert answered(model, data).labels.max() < 20
    own = fitted(XRTransformer, encoder, data, preliminary_indexer=Twice())
    assert same(answered(own, data), answered(own, data))


class Twice:
    """Every label is in two of four clusters."""

    def build(self, Z, Y, *, seed=0, threads=1):
        edges = [(str(label), f"cluster {(label + step) % 4}") for label in range(Y.shape[1]) for step in (0, 1)]
        return ramify.index.tree_from_taxonomy(edges, [str(label) for label in range(Y.shape[1])])


def test_save_and_load(encoder, tmp_path):
    data = texts_of_order(100, 0)
    model = fitted(XRTransformer, encoder, data)
    model.save(tmp_path / "model")
    loaded = ramify.load(tmp_path / "model")
    assert same(answered(loaded, data), answered(model, data))
    assert loaded.get_params(deep=False)["branching"] == 4
    assert loaded.histories_ == model.histories_
    assert loaded.size() == model.size()
    again = fitted(XRTransformer, encoder, data)
    assert same(answered(again, data), answered(model, data))
    request = Request(X=data[1][:5], texts=data[0][:5])
    np.testing.assert_array_equal(loaded.decide(request).toarray(), model.decide(request).toarray())


def test_many_token_ids_are_in_a_file_during_the_fit(encoder, monkeypatch):
    class Spying(XTransformer):
        def _fine_tune(self, run):
            self.mapped_ = isinstance(run.tokens.ids, np.memmap)
            return super()._fine_tune(run)

    monkeypatch.setitem(KINDS, Spying, KINDS[XTransformer])
    data = texts_of_order(60, 0)
    usual = fitted(Spying, encoder, data, steps=2)
    monkeypatch.setattr("ramify.transformers.tokens.MOST_IN_MEMORY", 60)
    mapped = fitted(Spying, encoder, data, steps=2)
    assert (usual.mapped_, mapped.mapped_) == (False, True)
    assert same(answered(usual, data), answered(mapped, data))


def test_a_model_that_was_trained_on_a_gpu_loads_without_one(encoder, tmp_path):
    data = texts_of_order(40, 0)
    model = fitted(XTransformer, encoder, data, steps=1)
    model.set_params(device="cuda").save(tmp_path / "model")
    loaded = ramify.load(tmp_path / "model")
    assert loaded.device == "auto"
    assert len(answered(loaded, data)) == 40


def test_a_path_as_the_directory_of_the_checkpoint(encoder, tmp_path):
    data = texts_of_order(40, 0)
    model = fitted(XTransformer, encoder, data, steps=1, checkpoint=tmp_path / "run")
    model.save(tmp_path / "model")
    assert ramify.load(tmp_path / "model").checkpoint == str(tmp_path / "run")


@pytest.mark.parametrize("backend", ["onnx", "onnx-int8"])
def test_an_exported_encoder_gives_the_same_bits_for_a_text_alone(encoder, tmp_path, backend):
    pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    data = texts_of_order(100, 0)
    model = fitted(XTransformer, encoder, data, steps=3, backend=backend)
    top = answered(model, data)
    for row in range(4):
        alone = model.answer(Request(X=data[1][row], texts=data[0][row : row + 1], k=3))
        np.testing.assert_array_equal(alone.labels[0], top.labels[row])
        np.testing.assert_array_equal(alone.scores[0], top.scores[row])
    model.save(tmp_path / "model")
    loaded = ramify.load(tmp_path / "model")
    assert same(answered(loaded, data), top)
    seen = []
    loaded.embeddings(Request(X=data[1], texts=data[0], progress=lambda stage, done: seen.append(done)))
    assert len(seen) > 1 and seen == sorted(seen) and seen[-1] == 1
    ranker, weights = loaded.ranker_.size().weights, load_encoder(EncoderConfig(name=encoder))[0].state_dict()
    assert loaded.size().weights == ranker + sum(tensor.numel() for tensor in weights.values())


@pytest.mark.parametrize(
    "damage",
    [
        lambda config: config["model"]["config"]["encoder"].pop("hugging_face"),
        lambda config: config["model"]["config"]["encoder"]["hugging_face"].update(hidden_size=33),
        lambda config: config["model"]["config"].update(n_features=5),
        lambda config: config["model"]["config"]["settings"].update(steps=0),
    ],
)
def test_a_damaged_model_directory_is_one_sentence(encoder, damage):
    model = fitted(XTransformer, encoder, texts_of_order(40, 0), steps=1)
    config, arrays = model.to_state()
    config = json.loads(json.dumps(config))
    damage({"model": {"config": config}})
    with pytest.raises(ModelFileError, match="the transformer model is damaged"):
        XTransformer.from_state(config, arrays)


def test_bad_input_is_one_sentence(encoder):
    texts, X, Y = texts_of_order(40, 0)
    model = XTransformer(encoder=encoder, steps=1, threads=1)
    with pytest.raises(InputError, match="XTransformer requires texts, but none is given"):
        model.fit(X, Y)
    with pytest.raises(InputError, match="there are 39 texts, but Y has 40 rows"):
        model.fit_training(Training(X=X, Y=Y, texts=texts[1:]))
    with pytest.raises(InputError, match="max_leaf is 0"):
        XTransformer(encoder=encoder, ranker=XRLinear(max_leaf=0)).fit_training(Training(X=X, Y=Y, texts=texts))
    with pytest.raises(InputError, match="ranker is 'xr-linear', but must be an XRLinear"):
        XTransformer(ranker="xr-linear").fit_training(Training(X=X, Y=Y, texts=texts))
    with pytest.raises(InputError, match="needs texts, but the data contain features only"):
        Tagger(model).fit(X, Y)
    fit = fitted(XTransformer, encoder, (texts, X, Y), steps=1)
    with pytest.raises(InputError, match="there are 3 texts, but X has 40 rows"):
        fit.answer(Request(X=X, texts=texts[:3], k=2))


def test_the_input_gradient_of_chunks_is_that_of_the_whole_head(encoder):
    """FlatTask with chunks of 3 of 20 labels against binary cross-entropy over all labels at once, and its SGD step."""
    texts, X, Y = texts_of_order(32, 0)
    module, tokenizer = load_encoder(EncoderConfig(name=encoder))
    training = XTransformer()._checked_training(Training(X=X, Y=Y, texts=texts, seed=0, threads=1))
    rest, held = held_out(32, 0.0, 0)
    with Environment("cpu", 1).open() as environment:
        run = FineTuning(
            training=training, encoder=module, tokens=tokenized(tokenizer, texts, 16, threads=1),
            environment=environment, loops=(LoopConfig(steps=1),), rest=rest, held=held,
        )  # fmt: skip
        part = FlatTask(run, rest[:8], 0.5, 3, 0.0)
        np.testing.assert_allclose(part.bias.sigmoid(), np.asarray(Y[:8].sum(axis=0) + 0.1)[0] / 8.2, atol=1e-5)
        task = FlatTask(run, rest, 0.5, 3, 0.0)
        rng = np.random.default_rng(0)
        task.weight.copy_(torch.from_numpy(rng.normal(size=task.weight.shape)))
        weight, bias = (tensor.clone().requires_grad_(True) for tensor in (task.weight, task.bias))
        h = torch.from_numpy(rng.normal(size=(32, module.width)).astype(np.float32)).requires_grad_(True)
        wanted = torch.nn.functional.binary_cross_entropy_with_logits(
            h @ weight.T + bias, torch.from_numpy(Y.toarray()), reduction="sum"
        )
        gradients = torch.autograd.grad(wanted, (h, weight, bias))
        other = h.detach().clone().requires_grad_(True)
        loss, inputs = task.head_loss(other, ramify.torchloop.Shard(rest, (0, 0, 0, 0)))
        assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)
        torch.testing.assert_close(torch.autograd.grad(loss, other)[0], gradients[0], atol=1e-5, rtol=1e-4)
        task.update_head(inputs, rest, 0.1)
        share = (h @ weight.T + bias).sigmoid().detach()
        rate = 0.05 / (1 + 0.05 * (h.detach().square().sum(dim=1) + 1) @ (share * (1 - share)))
        wanted_weight, wanted_bias = weight - rate[:, None] * gradients[1], bias - rate * gradients[2]
        torch.testing.assert_close(task.weight, wanted_weight.detach(), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(task.bias, wanted_bias.detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_fit_changes_nothing(kind, encoder):
    data, other = texts_of_order(40, 0), texts_of_order(50, 1)
    model = fitted(kind, encoder, data, steps=2)
    state, top = repr(model.to_state()[0]), answered(model, data)
    seen = []
    training = Training(X=other[1], Y=other[2], texts=other[0], progress=lambda stage, done: seen.append(stage))
    fitted(kind, encoder, other, steps=2).fit_training(training)
    assert {"tokens", "fine-tune", "embed", "train"} <= set(seen)
    for stop_at in range(0, len(seen), 3):
        calls = itertools.count()

        def progress(stage, done, calls=calls, stop_at=stop_at):
            if next(calls) == stop_at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            model.fit_training(Training(X=other[1], Y=other[2], texts=other[0], progress=progress))
        assert repr(model.to_state()[0]) == state
        assert same(answered(model, data), top)


def test_members_of_an_ensemble(encoder, tmp_path):
    texts, _, Y = texts_of_order(150, 0)
    labels = [[str(label) for label in Y[row].indices] for row in range(150)]
    usual = {"encoder": encoder, "steps": 2, "threads": 1}
    members = [XRTransformer(**usual, branching=4), FlatTransformer(**usual), XRLinear(threads=1)]
    tagger = Tagger(ramify.Ensemble(members, threads=1)).fit(texts, labels)
    found = tagger.tag(texts[:5], 3)
    tagger.save(tmp_path / "model")
    assert ramify.load(tmp_path / "model").tag(texts[:5], 3) == found


SCRIPT = """
import json, os, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from test_transformers import XRTransformer, fitted, texts_of_order
model = fitted(XRTransformer, sys.argv[3], texts_of_order(142, 0), batch_size=16)
row = [[event.loss for event in history.evaluations] for history in model.histories_]
Path(sys.argv[4], os.environ["RANK"] + ".json").write_text(json.dumps(row))
"""


def test_two_processes_have_the_loss_curve_of_twice_the_batch(encoder, tmp_path):
    here = Path(__file__).parent  # 128 of the 142 texts are not held out: 4 full batches, whose shards are the same
    (tmp_path / "script.py").write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, tmp_path / "script.py", here, here.parent, encoder, tmp_path]
    done = subprocess.run([str(one) for one in command], check=False, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    alone = fitted(XRTransformer, encoder, texts_of_order(142, 0), batch_size=32)
    wanted = [[event.loss for event in history.evaluations] for history in alone.histories_]
    np.testing.assert_allclose(first, wanted, rtol=1e-3)
