"""XLGen on documents whose labels are known: every variant fits them; restrictions, storage and interruptions."""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("transformers", reason="needs the extra torch")

from generation_data import FAST, all_words, documents, save_tiny_t5

import ramify
from ramify import Tagger, XLGen
from ramify.errors import InputError, ModelFileError, RamifyWarning
from ramify.exchange import Request, Training
from ramify.values import LabelTree
from tiny_encoder import save_tiny_encoder

TEXTS, LABELS = documents()
EPOCHS = {"base": 50, "bcl": 50, "mcg": 42}
SHORT = {**FAST, "epochs": 2}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_tiny_encoder(tmp_path_factory.mktemp("generator") / "encoder", all_words())


@pytest.fixture(scope="module")
def t5(tmp_path_factory, encoder):
    return save_tiny_t5(tmp_path_factory.mktemp("generator") / "t5", encoder)


@pytest.fixture(scope="module")
def fitted(t5):
    """Taggers by variant, each fitted once."""
    made = {}

    def tagger(variant):
        if variant not in made:
            made[variant] = Tagger(XLGen(encoder=t5, variant=variant, **{**FAST, "epochs": EPOCHS[variant]})).fit(
                TEXTS, LABELS
            )
        return made[variant]

    return tagger


def training(texts=TEXTS, labels=LABELS, names=None, **more):
    names = sorted({name for row in labels for name in row}) if names is None else names
    Y = sp.csr_matrix(np.array([[name in row for name in names] for row in labels], np.float32))
    return Training(Y=Y, texts=texts, label_names=names, **more)


def arrays_of(model):
    return {name: array for name, array in model.network_arrays_.items() if name != "tokenizer"}


def assert_same_arrays(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.mark.parametrize("variant", EPOCHS)
def test_a_small_model_fits_fifty_documents(fitted, variant):
    found = fitted(variant).predict(TEXTS)
    assert [set(names) for names in found] == [set(names) for names in LABELS]


@pytest.mark.parametrize("variant", EPOCHS)
def test_saved_and_loaded(fitted, variant, tmp_path):
    tagger = fitted(variant)
    tagger.save(tmp_path / "m")
    loaded = ramify.load(tmp_path / "m")
    assert loaded.tag(TEXTS[:6], 4) == tagger.tag(TEXTS[:6], 4)
    assert loaded.model_.clusters_.shape == tagger.model_.clusters_.shape
    assert repr(loaded.model_.histories_) == repr(tagger.model_.histories_)  # NaN without held-out texts


@pytest.mark.parametrize("variant", EPOCHS)
def test_a_batch_equals_single_texts(fitted, variant):
    together = fitted(variant).tag(TEXTS[:8], 5)
    for text, tags in zip(TEXTS[:8], together, strict=True):
        [alone] = fitted(variant).tag([text], 5)
        assert dict(alone) == pytest.approx(dict(tags), abs=1e-4)


def test_threads_change_nothing(encoder):
    models = [XLGen(encoder=encoder, **{**SHORT, "threads": n, "variant": "bcl"}) for n in (1, 2)]
    for model in models:
        model.fit_training(training())
    assert_same_arrays(*map(arrays_of, models))
    one, two = (model.answer(Request(texts=TEXTS, threads=n)) for n, model in zip((1, 2), models, strict=True))
    np.testing.assert_array_equal(one.labels, two.labels)
    np.testing.assert_array_equal(one.scores, two.scores)


def test_another_seed_gives_another_model(encoder):
    models = [
        XLGen(encoder=encoder, **{**SHORT, "seed": seed, "epochs": 1}).fit_training(training()) for seed in (0, 1)
    ]
    first, second = map(arrays_of, models)
    assert any((array != second[name]).any() for name, array in first.items() if array.dtype == np.float32)


@pytest.mark.parametrize("stop", [("names", 0.4), ("train", 0.6)])
def test_a_stopped_fit_continues(encoder, tmp_path, stop):
    settings = {**SHORT, "denoise": 1, "variant": "mcg", "held_out": 0.2}
    whole = XLGen(encoder=encoder, checkpoint=str(tmp_path / "whole"), **settings)
    whole.fit_training(training())

    def stopping(stage, done):
        if (stage, done >= stop[1]) == (stop[0], True):
            raise KeyboardInterrupt

    model = XLGen(encoder=encoder, checkpoint=str(tmp_path / "part"), **settings)
    with pytest.raises(KeyboardInterrupt):
        model.fit_training(training(progress=stopping))
    model.fit_training(training())
    assert_same_arrays(arrays_of(whole), arrays_of(model))
    assert repr(whole.histories_) == repr(model.histories_)


def test_the_checkpoint_of_other_clusters_is_refused(encoder, tmp_path):
    given = training()
    X = ramify.Tfidf(min_df=1).fit_transform(TEXTS)
    trees = [
        ramify.XRLinear(branching=2, max_leaf=4, threads=1).fit(X[rows], given.Y[rows])
        for rows in (slice(30), slice(50))
    ]
    first, second = (
        XLGen(encoder=encoder, variant="bcl", cluster_tree=tree, checkpoint=str(tmp_path / "c"), **SHORT)
        for tree in trees
    )
    first.fit_training(given)
    with pytest.raises(InputError, match="checkpoint"):
        second.fit_training(given)


def test_the_checkpoint_of_other_names_is_refused(encoder, tmp_path):
    model = XLGen(encoder=encoder, checkpoint=str(tmp_path / "c"), **SHORT)
    model.fit_training(training())
    names = [name.upper() for name in sorted({name for row in LABELS for name in row})]
    with pytest.raises(InputError, match="checkpoint"):
        model.fit_training(Training(Y=training().Y, texts=TEXTS, label_names=names))


def test_restrictions(fitted):
    tagger = fitted("base")
    for text, row in zip(TEXTS[:6], tagger.tag(TEXTS[:6], 5, allowed=["water", "fire -- west"]), strict=True):
        assert {name for name, _ in row} <= {"water", "fire -- west"}, text
    assert all(name != "water" for row in tagger.tag(TEXTS, 5, forbidden=["water"]) for name, _ in row)
    per_text = np.zeros((2, len(tagger.label_names_)), bool)
    per_text[0, 3] = per_text[1, 5] = True
    top = tagger.model_.answer(Request(texts=TEXTS[:2], k=3, allowed=sp.csr_matrix(per_text)))
    assert top.labels[:, 0].tolist() == [3, 5]
    assert (top.labels[:, 1:] == -1).all()


def test_a_label_without_documents_can_be_written(t5):
    """Compositions that no training document has; a linear tree cannot rank them."""
    texts, labels = documents(120, seed=1)
    unseen = {"stone -- west", "fire -- east"}
    kept = [row for row, names in enumerate(labels) if not unseen & set(names)]
    names = sorted({name for row in labels for name in row})
    given = training([texts[row] for row in kept], [labels[row] for row in kept], names)
    model = XLGen(encoder=t5, **{**FAST, "epochs": 40}).fit_training(given)
    held = [row for row in range(len(texts)) if row not in kept]
    found = model.answer(Request(texts=[texts[row] for row in held], k=5))
    written = [{names[label] for label in row if label >= 0} & unseen for row in found.labels.tolist()]
    right = [bool(one & set(labels[row])) for one, row in zip(written, held, strict=True)]
    assert np.mean(right) > 0.3


def test_true_clusters_are_an_upper_bound(fitted):
    tagger = fitted("mcg")
    Y = training().Y
    found = tagger.model_.generated_sets(Request(texts=TEXTS), tagger.model_.true_clusters(Y))
    assert (found != Y).nnz == 0
    wrong = sp.csr_matrix(np.ones((len(TEXTS), 3)))
    with pytest.raises(InputError, match=r"clusters has the shape \(50, 3\), but must have \(50, 4\)"):
        tagger.model_.generated_sets(Request(texts=TEXTS), wrong)
    with pytest.raises(InputError, match="must have"):
        fitted("base").model_.generated_sets(Request(texts=TEXTS), wrong)


@pytest.mark.parametrize("order", ["rare-first", "alphabetical", "random", "resequenced", "fixed"])
def test_orders(encoder, order):
    model = XLGen(encoder=encoder, order=order, **SHORT).fit_training(training())
    assert np.isfinite(model.histories_[-1].evaluations[-1].loss)


def test_clusters_of_a_tree(encoder):
    given = training()
    n_labels = given.Y.shape[1]
    half = n_labels // 2
    leaves = np.append(np.arange(n_labels), 0).astype(np.int32)  # label 0 is in both clusters
    parents = np.repeat([0, 1], [half, n_labels + 1 - half]).astype(np.int32)
    tree = LabelTree((np.zeros(2, np.int32), parents), leaves, n_labels)
    model = XLGen(encoder=encoder, variant="mcg", cluster_tree=tree, **SHORT).fit_training(given)
    assert model.clusters_.toarray()[0].tolist() == [1, 1]
    assert model.clusters_.toarray().sum() == n_labels + 1
    linear = ramify.XRLinear(branching=2, max_leaf=4, threads=1).fit(
        ramify.Tfidf(min_df=1).fit_transform(TEXTS), given.Y
    )
    model = XLGen(encoder=encoder, variant="bcl", cluster_tree=linear, **SHORT).fit_training(given)
    assert model.clusters_.shape == (n_labels, 4)


def test_labels_beyond_the_target_are_counted(encoder):
    with pytest.warns(RamifyWarning, match="labels of the training documents are not used, because their targets have"):
        XLGen(encoder=encoder, max_target=8, **SHORT).fit_training(training())


def test_labels_with_equal_tokens(encoder):
    names = ["Water", "water", "fire"]
    Y = sp.csr_matrix(np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [0, 1, 0]] * 4, np.float32))
    with pytest.warns(RamifyWarning, match="1 labels have the same tokens as another label, as 'Water' and 'water'"):
        model = XLGen(encoder=encoder, **SHORT).fit_training(
            Training(Y=Y, texts=["a water", "water", "water fire", "the water"] * 4, label_names=names)
        )
    assert model.generated_.tolist() == [1, 2]
    assert 0 not in model.answer(Request(texts=["a water"], k=3)).labels


def test_documents_without_labels_are_left_out(t5):
    """They are no targets, so that hidden labels do not teach the model to write nothing."""
    texts, labels = [*TEXTS, *(["fire of the west"] * 30)], [*LABELS, *([[]] * 30)]
    with_empty, without = (
        XLGen(encoder=t5, **SHORT).fit_training(training(*given)) for given in ((texts, labels), (TEXTS, LABELS))
    )
    assert_same_arrays(arrays_of(with_empty), arrays_of(without))


def test_a_history_has_the_held_out_f1(encoder):
    model = XLGen(encoder=encoder, **{**SHORT, "held_out": 0.2}).fit_training(training())
    assert len(model.histories_[-1].evaluations) == 2
    assert all(0 <= one.measure <= 1 for one in model.histories_[-1].evaluations)


BAD_NAMES = {
    "no tokens": (["water", " "], "the name of label 1, ' ', has no tokens"),
    "too long": (["water", "water " * 20], "has 20 tokens, but a target has at most 11"),
}


@pytest.mark.parametrize("case", BAD_NAMES)
def test_bad_names(encoder, case):
    names, message = BAD_NAMES[case]
    Y = sp.csr_matrix(np.eye(2, dtype=np.float32))
    with pytest.raises(InputError, match=message):
        XLGen(encoder=encoder, max_target=12, **SHORT).fit_training(
            Training(Y=Y, texts=["water", "fire"], label_names=names)
        )


def test_a_name_with_the_end_of_a_sequence(t5):
    Y = sp.csr_matrix(np.eye(2, dtype=np.float32))
    with pytest.raises(InputError, match=r"the label 'a \[SEP\] b' contains a token that ends a sequence: rename it"):
        XLGen(encoder=t5, **SHORT).fit_training(
            Training(Y=Y, texts=["water", "fire"], label_names=["water", "a [SEP] b"])
        )


def test_names_with_separators(t5):
    """Commas, semicolons and line breaks in names are only characters."""
    texts, names = ["water of the north", "fire of the south"] * 10, ["water, north", "fire -- south"]
    tagger = Tagger(XLGen(encoder=t5, **{**FAST, "epochs": 30})).fit(texts, [[name] for name in names] * 10)
    assert [row[0][0] for row in tagger.tag(texts[:2], 1)] == names


def test_more_clusters_than_labels(encoder):
    with pytest.raises(InputError, match="clusters is 30, but there are only 25 labels: lower clusters"):
        XLGen(encoder=encoder, variant="bcl", **{**SHORT, "clusters": 30}).fit_training(training())


def test_missing_names_and_texts(encoder):
    given = training()
    with pytest.raises(InputError, match="XLGen requires label_names, but none is given"):
        XLGen(encoder=encoder).fit_training(Training(Y=given.Y, texts=TEXTS))
    with pytest.raises(InputError, match="XLGen requires texts, but none is given"):
        XLGen(encoder=encoder).fit_training(Training(Y=given.Y, label_names=given.label_names))
    with pytest.raises(InputError, match="there are 3 label names for 25 labels"):
        XLGen(encoder=encoder).fit_training(Training(Y=given.Y, texts=TEXTS, label_names=["a", "b", "c"]))


def test_other_networks_are_refused(tmp_path, encoder):
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=1)).save_pretrained(
        tmp_path / "g"
    )
    tokenizer.save_pretrained(tmp_path / "g")
    with pytest.raises(InputError, match="is a decoder-only model"):
        XLGen(encoder=str(tmp_path / "g"), **SHORT).fit_training(training())
    with pytest.raises(InputError, match="does not exist"):
        XLGen(encoder=str(tmp_path / "missing")).fit_training(training())


def save_bart(directory, encoder, positions):
    from transformers import AutoTokenizer, BartConfig, BartForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes |= {"encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "d_model": 16, "max_position_embeddings": positions}
    tokens = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3}
    BartForConditionalGeneration(BartConfig(vocab_size=len(tokenizer), **sizes, **tokens)).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


@pytest.mark.parametrize("variant", EPOCHS)
def test_bart(tmp_path, encoder, variant):
    bart = save_bart(tmp_path / "bart", encoder, 100)
    with pytest.warns(RamifyWarning, match="1 of 51 texts have more than"):
        tagger = Tagger(XLGen(encoder=bart, variant=variant, **SHORT)).fit(
            ["water " * 120, *TEXTS], [["water"], *LABELS]
        )
    tagger.save(tmp_path / "m")
    assert ramify.load(tmp_path / "m").tag(["water " * 120], 3) == tagger.tag(["water " * 120], 3)


def test_more_target_tokens_than_positions(tmp_path, encoder):
    bart = save_bart(tmp_path / "bart", encoder, 64)
    with pytest.raises(
        InputError, match=r"has up to 96 tokens, but the decoder of .* has 64 positions: lower max_target"
    ):
        XLGen(encoder=bart, **SHORT).fit_training(training())


def test_many_clusters_and_short_targets(encoder):
    model = XLGen(encoder=encoder, variant="mcg", max_target=16, **{**SHORT, "clusters": 20}).fit_training(training())
    assert len(model.answer(Request(texts=TEXTS[:3], k=2))) == 3


def test_two_models_with_a_vocabulary_each(tmp_path, encoder):
    from transformers import AutoTokenizer, BertConfig, BertLMHeadModel, BertModel, EncoderDecoderModel

    sizes = {
        "vocab_size": 40,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
    }
    decoder = BertLMHeadModel(BertConfig(**sizes, is_decoder=True, add_cross_attention=True))
    EncoderDecoderModel(encoder=BertModel(BertConfig(**sizes)), decoder=decoder).save_pretrained(tmp_path / "p")
    AutoTokenizer.from_pretrained(encoder).save_pretrained(tmp_path / "p")
    with pytest.raises(InputError, match="is composed of two models with a vocabulary each"):
        XLGen(encoder=str(tmp_path / "p"), **SHORT).fit_training(training())


DAMAGE = {
    "start": lambda config, arrays: config["network"].pop("start"),
    "large start": lambda config, arrays: config["network"].update(start=10**6),
    "large end": lambda config, arrays: config["network"].update(end=10**6),
    "clusters": lambda config, arrays: config["network"].update(n_clusters=2**31 - 1),
    "cluster input": lambda config, arrays: config["network"].update(first_cluster_input=10**6),
    "no tokens": lambda config, arrays: config["network"].update(max_tokens=-1),
    "vocabulary": lambda config, arrays: config["network"]["hugging_face"].update(vocab_size=2**31 - 1),
    "type": lambda config, arrays: config["network"]["hugging_face"].update(model_type="gpt2"),
    "decoder": lambda config, arrays: config["network"]["hugging_face"].update(decoder="x"),
    "weights": lambda config, arrays: arrays.pop(max(name for name in arrays if "layer_norm" in name)),
    "shape": lambda config, arrays: arrays.update(
        {"network/weights/model.shared.weight": np.zeros((3, 3), np.float32)}
    ),
    "tokenizer": lambda config, arrays: arrays.update({"network/tokenizer": np.zeros(5, np.uint8)}),
    "label tokens": lambda config, arrays: arrays["tokens/ids"].fill(10**6),
    "names": lambda config, arrays: arrays.update({"labels/offsets": arrays["labels/offsets"][:-1]}),
    "no numbers": lambda config, arrays: arrays[max(name for name in arrays if "layer_norm" in name)].fill(np.nan),
    "order": lambda config, arrays: arrays["generated"].fill(0),
}


@pytest.mark.parametrize("variant", ["bcl", "mcg"])
@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_directory_is_one_sentence(fitted, variant, case):
    config, arrays = fitted(variant).model_.to_state()
    config, arrays = copy.deepcopy(config), {name: np.array(array) for name, array in arrays.items()}
    DAMAGE[case](config, arrays)
    if case == "cluster input" and variant == "bcl":
        pytest.skip("clusters are no inputs of the encoder")
    if case == "decoder":
        config["network"]["hugging_face"]["model_type"] = "encoder-decoder"
    with pytest.raises(ModelFileError, match="the generator is damaged"):
        XLGen.from_state(config, arrays).answer(Request(texts=TEXTS[:2], k=3))


def test_a_gpu_that_is_missing(encoder):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="device is 'cuda', but torch finds no GPU"):
        XLGen(encoder=encoder, device="cuda").fit_training(training())


def test_a_failed_fit_changes_nothing(encoder):
    model = XLGen(encoder=encoder, **SHORT).fit_training(training())
    before = arrays_of(model)
    model.set_params(max_target=2)
    with pytest.raises(InputError):
        model.fit_training(training())
    assert_same_arrays(before, arrays_of(model))


def test_odd_texts(fitted):
    assert fitted("base").tag(["", "   "], 3) == [[], []]
    assert len(fitted("base").tag(["水道 井戸", "x" * 10_000], 3)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted("base").tag(["water " * 500], 3)
