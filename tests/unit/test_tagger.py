"""Tagger: accepted and rejected input, predictions and saving, for all forms of texts and labels."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

import ramify
from ramify import Dataset, Hashing, Tagger, Tfidf, XRLinear
from ramify.errors import InputError, ModelFileError
from ramify.tagger.given_labels import label_matrix

TEXTS = [
    "water pollution in rivers",
    "clean water act",
    "income tax",
    "tax credit for income",
    "river fish",
    "fish tax",
] * 3
LABELS = [["Water", "Pollution"], ["Water"], ["Tax"], ["Tax", "Income"], ["Fish", "Water"], ["Fish", "Tax"]] * 3


def _tagger(vectorizer=None, **settings):
    vectorizer = Tfidf(min_df=1, threads=1) if vectorizer is None else vectorizer
    return Tagger(
        XRLinear(**{"threads": 1, "max_leaf": 2, "branching": 2, "epsilon": 0.01, **settings}), vectorizer=vectorizer
    )


@pytest.fixture(scope="module")
def tagger():
    return _tagger().fit(TEXTS, LABELS)


def _names(row):
    return [name for name, _ in row]


def test_it_learns_names(tagger):
    assert _names(tagger.tag(["income tax"], k=1)[0]) == ["Tax"]
    assert set(_names(tagger.tag(["tax credit for income"], k=2)[0])) == {"Tax", "Income"}
    assert tagger.score(TEXTS, LABELS) == 1.0
    assert list(tagger.label_names_) == sorted({name for names in LABELS for name in names})


def test_scores_descend_and_are_plain_numbers(tagger):
    for row in tagger.tag(TEXTS, k=5):
        scores = [score for _, score in row]
        assert scores == sorted(scores, reverse=True)
        assert all(type(score) is float and type(name) is str for name, score in row)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_text_alone_gets_the_same_as_among_others(tagger, k):
    texts = [*TEXTS, "", "unheard words", "Fish fish FISH river"]
    together = tagger.tag(texts, k=k)
    assert [tagger.tag([text], k=k)[0] for text in texts] == together
    ids = tagger.predict_topk(texts, k)
    assert [[tagger.label_names_[i] for i, _ in row] for row in ids.rows()] == [_names(row) for row in together]


@pytest.mark.parametrize("text", ["", " ", "unheard words only", "!?", "x" * 10_000, "\x00", "\ud800"])
def test_texts_without_a_known_word_get_no_label(tagger, text):
    assert tagger.tag([text]) == [[]]
    assert tagger.tag([text, TEXTS[0]])[0] == []


def test_no_texts_give_no_rows(tagger):
    assert tagger.tag([]) == []


@pytest.mark.parametrize("k", [5, 6, 1000, np.int64(7)])
def test_of_few_labels_all_are_given(tagger, k):
    assert len(tagger.tag(["water tax"], k=k)[0]) == len(tagger.label_names_) == 5


@pytest.mark.parametrize("k", [0, -1, 1.0, True, "3", None, [1]])
def test_k_out_of_range(tagger, k):
    tagger.tag(TEXTS[:1], k=1)  # True and 1.0 equal 1, which is known already
    for texts in (TEXTS[:1], TEXTS):
        with pytest.raises(InputError, match="k is"):
            tagger.tag(texts, k=k)


@pytest.mark.parametrize("texts", ["one text", b"bytes"])
def test_a_single_string_is_no_list(tagger, texts):
    with pytest.raises(InputError, match="wrap it in a list"):
        tagger.tag(texts)
    with pytest.raises(InputError, match="texts is a single string"):
        _tagger().fit(texts, LABELS)
    with pytest.raises(InputError, match="labels is a single string"):
        _tagger().fit(TEXTS, texts)


@pytest.mark.parametrize("bad", [None, 3, b"bytes", ["nested"], float("nan")])
def test_items_that_are_no_text(tagger, bad):
    for texts in ([bad], [*TEXTS, bad]):
        with pytest.raises(InputError):
            tagger.tag(texts)
    with pytest.raises(InputError):
        _tagger().fit([bad, *TEXTS[1:]], LABELS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([["a"]] * 17, "18 texts, but 17"), ([[]] * 18, "nothing to learn"), ([["a"]] * 17 + ["b"], "text 17 .*list"),
        ([["a"]] * 17 + [[3.5]], "text 17.*3.5"), ([["a"]] * 17 + [None], "text 17"), ([[""]] * 18, "nothing to learn"),
    ],
)  # fmt: skip
def test_labels_that_make_no_sense(labels, message):
    with pytest.raises(InputError, match=message):
        _tagger().fit(TEXTS, labels)


def test_any_iterables_will_do():
    wanted = _tagger().fit(TEXTS, LABELS).tag(TEXTS)
    sets = _tagger().fit(tuple(TEXTS), (set(names) for names in LABELS))
    arrays = _tagger().fit(np.array(TEXTS), [np.array(names) for names in LABELS])
    for tagger in (sets, arrays):
        assert tagger.tag(np.array(TEXTS)) == wanted
        assert tagger.tag(text for text in TEXTS[:1]) == wanted[:1]


def test_repeated_and_empty_names_count_once_or_not():
    messy = [[*names, names[0], ""] for names in LABELS]
    assert _tagger().fit(TEXTS, messy).tag(TEXTS) == _tagger().fit(TEXTS, LABELS).tag(TEXTS)


def test_texts_without_labels_are_kept_as_negatives():
    tagger = _tagger().fit([*TEXTS, "sports news", "news of sports"], [*LABELS, [], []])
    assert len(tagger.label_names_) == 5
    assert tagger.n_documents_ == 20
    assert tagger.tag(["sports news"], k=1)[0][0][1] < tagger.tag(["income tax"], k=1)[0][0][1]


def test_names_of_any_script_keep_their_order(tmp_path):
    names = ["Ω mega", "ähnlich", "日本", "a\nb", "a b", "\U0001f41f", "\ud800", "A", "a", "مرحبا"]
    texts = [f"word{number} common" for number in range(len(names))]
    tagger = _tagger().fit(texts, [[name] for name in names])
    assert list(tagger.label_names_) == sorted(names)
    tagger.save(tmp_path / "model")
    for one in (tagger, Tagger.load(tmp_path / "model")):
        assert [row[0][0] for row in one.tag(texts, k=1)] == names


def test_allowed_and_forbidden_names(tagger):
    allowed = tagger.tag(TEXTS, allowed=["Fish", "Income"])
    assert {name for row in allowed for name in _names(row)} == {"Fish", "Income"}
    forbidden = tagger.tag(TEXTS[:1], forbidden=("Water",))[0]
    assert "Water" not in _names(forbidden)
    assert tagger.tag(TEXTS[:1], allowed={"Tax", "Fish"}, forbidden=["Tax"]) == tagger.tag(TEXTS[:1], allowed=["Fish"])
    assert tagger.tag(TEXTS[:2], allowed=[]) == [[], []]


@pytest.mark.parametrize(
    ("names", "message"),
    [(["Watr"], "did you mean 'Water'"), (["zzz"], "labels are like 'Fish'"), ("Water", "list"), ([3], "no label 3"),
     (3, "list"), ([["Water"]], "no label")],
)  # fmt: skip
def test_unknown_names_raise_with_the_nearest(tagger, names, message):
    for name in ("allowed", "forbidden"):
        with pytest.raises(InputError, match=message):
            tagger.tag(TEXTS[:1], **{name: names})


def test_ids_and_names_belong_together(tagger):
    names = list(tagger.label_names_)
    assert tagger.label_ids(names[::-1]) == list(range(len(names)))[::-1]
    assert tagger.label_ids([]) == []


VECTORIZERS = {
    "tfidf": Tfidf(min_df=1),
    "characters": Tfidf(min_df=1, words=None, characters=(2, 4)),
    "hashing": Hashing(n_features=2**12),
    "sklearn-tfidf": TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words=["in", "for"]),
    "sklearn-count": CountVectorizer(binary=True, token_pattern=r"\w+"),
    "sklearn-vocabulary": CountVectorizer(vocabulary=["water", "tax", "income", "fish", "pollution", "river"]),
    "sklearn-hashing": HashingVectorizer(n_features=2**10, alternate_sign=False),
    "sklearn-no-idf": TfidfVectorizer(use_idf=False, norm="l1", dtype=np.float32),
}


@pytest.mark.parametrize("name", VECTORIZERS)
def test_vectorizers_are_saved_without_pickle(tmp_path, name):
    tagger = _tagger(VECTORIZERS[name]).fit(TEXTS, LABELS)
    texts = [*TEXTS, "unheard", ""]
    tagger.save(tmp_path / "model")
    assert sorted(path.suffix for path in (tmp_path / "model").iterdir()) == [".json", ".safetensors"]
    for loaded in (ramify.load(tmp_path / "model"), Tagger.load(tmp_path / "model", verify=False)):
        assert loaded.tag(texts) == tagger.tag(texts)
        assert loaded.tag(texts[:1]) == tagger.tag(texts[:1])
        assert type(loaded.vectorizer_) is type(VECTORIZERS[name])
    assert tagger.score(TEXTS, LABELS) > 0.8


def test_vectorizers_with_functions_cannot_be_saved(tmp_path):
    tagger = _tagger(CountVectorizer(tokenizer=str.split, token_pattern=None)).fit(TEXTS, LABELS)
    with pytest.raises(InputError, match="functions"):
        tagger.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


class Lengths:
    """A vectorizer of the user's own."""

    def fit_transform(self, texts):
        return self.transform(texts)

    def transform(self, texts):
        return np.array([[len(text), text.count("tax"), text.count("water")] for text in texts], float)

    def get_params(self, deep=True):
        return {}

    def to_state(self):
        return {}, {}

    @classmethod
    def from_state(cls, config, arrays):
        return cls()


def test_parts_of_ones_own(tmp_path):
    tagger = _tagger(Lengths()).fit(TEXTS, LABELS)
    tagger.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"Lengths.*parts"):
        Tagger.load(tmp_path / "model")
    assert Tagger.load(tmp_path / "model", parts=[Lengths]).tag(TEXTS) == tagger.tag(TEXTS)


def test_datasets_with_features_only(tmp_path):
    names, Y = label_matrix(LABELS)
    X = sp.csr_matrix(Tfidf(min_df=1).fit_transform(TEXTS))
    tagger = _tagger().fit_dataset(Dataset(Y=Y, label_names=names, X=X))
    assert tagger.vectorizer_ is None
    tagger.save(tmp_path / "model")
    loaded = Tagger.load(tmp_path / "model")
    narrow = X[:, : X.shape[1] - 1]  # later files may not have the last features
    for asked in (X, X[:1], X.toarray()):
        assert loaded.tag(asked) == tagger.tag(asked)
    assert len(loaded.tag(narrow)) == len(TEXTS)
    with pytest.raises(InputError, match="features"):
        loaded.tag(sp.hstack([X, X]))
    empty = sp.csr_matrix((1, X.shape[1]), dtype=np.float32)
    assert loaded.tag(empty) == [[]]


def test_loading_another_class_is_refused(tmp_path, tagger):
    tagger.save(tmp_path / "tagger")
    tagger.model_.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="not a XRLinear"):
        XRLinear.load(tmp_path / "tagger")
    with pytest.raises(ModelFileError, match="not a Tagger"):
        Tagger.load(tmp_path / "model")


def test_fitting_tells_its_progress():
    reported = []
    _tagger().fit(TEXTS, LABELS, progress=lambda stage, done: reported.append((stage, done)))
    assert [stage for stage, done in reported if done == 0.0] == [
        "features",
        "choose",
        "represent",
        "index",
        "train",
        "pack",
    ]
    assert all(0 <= done <= 1 for _, done in reported)
