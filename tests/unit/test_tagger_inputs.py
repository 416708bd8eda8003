"""What callers hand to a tagger: labels as matrices, parts of any kind, wide and sparse label spaces, odd scripts."""

import threading
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.preprocessing import MultiLabelBinarizer

import ramify
from ramify import Blend, Dataset, Hashing, RamifyWarning, Tagger, Tfidf, TopK, XRLinear
from ramify.data.labels import NumberNames
from ramify.errors import InputError
from ramify.models import PopularLabels
from ramify.models.neighbours.dense import DenseNeighbours

TEXTS = ["water pollution", "clean water", "income tax", "tax credit", "river fish", "fish tax"] * 4
LABELS = [["Water", "Pollution"], ["Water"], ["Tax"], ["Tax", "Income"], ["Fish", "Water"], ["Fish", "Tax"]] * 4


def small(**settings):
    return Tagger(XRLinear(threads=1, max_leaf=2, branching=2), vectorizer=Tfidf(min_df=1, threads=1), **settings)


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csr_array, np.asarray], ids=["matrix", "sparse array", "dense"])
def test_label_matrices_give_what_lists_give(form, tmp_path):
    binarizer = MultiLabelBinarizer(sparse_output=form is not np.asarray)
    Y = form(binarizer.fit_transform(LABELS))
    tagger = small().fit(TEXTS, Y, label_names=binarizer.classes_)
    lists = small().fit(TEXTS, LABELS)
    assert tagger.tag(TEXTS) == lists.tag(TEXTS)
    tagger.save(tmp_path / "model")
    for one in (tagger, ramify.load(tmp_path / "model")):
        assert one.score(TEXTS, Y) == lists.score(TEXTS, LABELS)
        assert (one.predict(TEXTS) != sp.csr_matrix(Y)).nnz == 0
    assert list(small().fit(TEXTS, Y).label_names_) == ["0", "1", "2", "3", "4"]


def test_predict_answers_in_the_form_of_the_labels():
    found = small().fit(TEXTS, LABELS).predict([*TEXTS[:6], "unheard words"])
    assert found.shape == (7,)
    assert [sorted(names) for names in found] == [sorted(names) for names in (*LABELS[:6], [])]
    single = small().fit(TEXTS, [names[:1] for names in LABELS]).predict(TEXTS[:2])
    assert list(single) == [["Water"], ["Water"]]  # lists of equal length stay lists


def test_features_and_labels_may_both_be_matrices():
    X = Tfidf(min_df=1).fit_transform(TEXTS)
    Y = MultiLabelBinarizer().fit_transform(LABELS)
    by_matrix = small().fit(X, Y)
    assert by_matrix.vectorizer_ is None
    assert by_matrix.predict(X).shape == Y.shape
    assert by_matrix.score(X, Y) == 1.0


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (np.eye(3), None, "24 texts, but 3"),
        (np.ones((24, 2)), ["one"], "1 names.*2 columns"),
        (
            np.ones((24, 2)),
            ["one", "one"],
            r"label_names is .*, but must be a list with a different name",
        ),
        (np.ones((24, 2)), "ab", "label_names is 'ab', but must be a list"),
        (LABELS, ["a"], "leave it out"),
        (-np.ones((24, 2)), None, "negative"),
        ("text", None, "single string"),
        (7, None, "labels is 7"),
    ],
)
def test_labels_that_do_not_fit(labels, names, message):
    with pytest.raises(InputError, match=message):
        small().fit(TEXTS, labels, label_names=names)


def test_names_follow_the_rules_of_data_files():
    tagger = small().fit(TEXTS, [[f" {name} ", "", name] for names in LABELS for name in names[:1]])
    assert list(tagger.label_names_) == ["Fish", "Tax", "Water"]
    numbered = small().fit(TEXTS, [[number % 3, np.int64(7)] for number in range(24)])
    assert list(numbered.label_names_) == ["0", "1", "2", "7"]
    assert numbered.score(TEXTS, [[np.int64(7), 0, 1, 2]] * 24) == 1.0
    with pytest.raises(InputError, match="labels of text 0 are 'Water', but must be a list of names"):
        tagger.score(TEXTS, ["Water"] * 24)


def test_grid_search_reaches_into_default_parts():
    search = GridSearchCV(Tagger(), {"vectorizer__min_df": [1, 2], "model__max_leaf": [3]}, cv=2)
    search.fit(TEXTS, LABELS)
    assert search.best_estimator_.vectorizer_.min_df in (1, 2)
    assert search.best_estimator_.model_.max_leaf == 3
    with pytest.raises(ValueError, match="typo"):
        Tagger().set_params(vectorizer__typo=1)


def test_scikit_learn_scores_and_cross_validates():
    Y = MultiLabelBinarizer().fit_transform(LABELS)
    found = cross_val_predict(small(), TEXTS, Y, cv=2)
    assert f1_score(Y, found, average="micro") == 1.0
    assert cross_val_score(small(), TEXTS, Y, cv=2, scoring="f1_micro").min() == 1.0
    assert cross_val_predict(small(), TEXTS, LABELS, cv=2).shape == (24,)


class Bare:
    """A model with the documented methods and nothing else."""

    def fit(self, X, Y):
        self.n_features_in_, self.n_labels_ = X.shape[1], Y.shape[1]
        self.frequent = np.argsort(-np.asarray(Y.sum(axis=0)).ravel(), kind="stable").astype(np.int32)
        return self

    def predict_topk(self, X, k):
        labels = np.tile(self.frequent[:k], (X.shape[0], 1))
        return TopK(labels, np.tile(np.linspace(1, 0.1, k, dtype=np.float32), (X.shape[0], 1)))


def test_a_model_with_the_documented_methods_only():
    tagger = Tagger(Bare(), vectorizer=Tfidf(min_df=1)).fit(TEXTS, LABELS)
    assert [name for name, _ in tagger.tag(["water"], k=2)[0]] == ["Tax", "Water"]
    assert tagger.predict(["water", "unheard"]).tolist() == [["Fish", "Tax", "Water"], []]
    assert [name for name, _ in tagger.tag(["water"], allowed=["Tax"])[0]] == ["Tax"]


def test_the_library_s_own_simple_models_serve():
    assert Tagger(PopularLabels(), vectorizer=Tfidf(min_df=1)).fit(TEXTS, LABELS).tag(["water"], k=1)[0][0][0] in (
        "Tax",
        "Water",
    )
    pytest.importorskip("usearch")
    Tagger(DenseNeighbours(), vectorizer=Tfidf(min_df=1)).fit(TEXTS, LABELS).tag(["water"])


@pytest.mark.parametrize("part", ["model", "vectorizer"])
def test_a_class_in_place_of_an_object_is_refused(part):
    kind = {"model": XRLinear, "vectorizer": Tfidf}[part]
    with pytest.raises(InputError, match=rf"{part} is the class {kind.__name__}.*give {kind.__name__}\(\)"):
        Tagger(**{part: kind}).fit(TEXTS, LABELS)


def test_a_refit_that_fails_leaves_the_tagger_as_it_was():
    tagger = small().fit(TEXTS, LABELS)
    before = tagger.tag(TEXTS)
    for texts, labels in ((["one"], [[]]), ([3] * 24, LABELS), (TEXTS, LABELS[:5]), (["!"] * 24, LABELS)):
        with pytest.raises(InputError):
            tagger.fit(texts, labels)
        assert tagger.tag(TEXTS) == before
    tagger.model = XRLinear(max_leaf=-1)
    with pytest.raises(InputError):
        tagger.fit(TEXTS, LABELS)
    assert tagger.tag(TEXTS) == before


def test_predicting_while_another_thread_refits():
    tagger, errors = small().fit(TEXTS, LABELS), []

    def ask():
        try:
            for _ in range(300):
                tagger.tag(["water"])
                tagger.tag(TEXTS)
        except Exception as error:
            errors.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    while asker.is_alive():
        tagger.fit(TEXTS, LABELS)
    assert errors == []


@pytest.mark.parametrize("texts", [None, 5, "text", b"text"])
def test_texts_that_are_no_list(texts):
    tagger = small().fit(TEXTS, LABELS)
    for call in (tagger.tag, tagger.predict_topk, tagger.predict, lambda given: tagger.fit(given, LABELS)):
        with pytest.raises(InputError, match="texts is"):
            call(texts)


def test_k_beyond_the_labels_gives_all_of_them():
    tagger = small().fit(TEXTS, LABELS)
    assert tagger.predict_topk(TEXTS, 10**9).k == 5


WIDTH = 2**31 - 1


def test_memory_goes_by_used_columns_and_labels(tmp_path):
    """2**31 - 1 announced features and 50,000,000 announced labels, of which a few are used."""
    rng = np.random.default_rng(0)
    columns = np.sort(rng.choice(WIDTH, 30, replace=False)).astype(np.int32)
    X = sp.csr_matrix((np.ones(60, np.float32), columns[np.tile(np.arange(30), 2)], np.arange(0, 61, 3)), (20, WIDTH))
    labels = np.array([5, 7, 49_999_999] * 7, np.int32)[:20]
    Y = sp.csr_matrix((np.ones(20, np.float32), labels, np.arange(21)), (20, 50_000_000))
    tagger = Tagger(XRLinear(threads=1)).fit_dataset(Dataset(Y=Y, label_names=NumberNames(50_000_000), X=X))
    assert list(tagger.label_names_) == ["5", "7", "49999999"]
    assert tagger.model_.n_features_in_ == 30
    tagger.save(tmp_path / "model")
    loaded = ramify.load(tmp_path / "model")
    other = sp.csr_matrix((np.ones(2, np.float32), np.array([1, columns[0]], np.int32), [0, 2]), (1, WIDTH))
    for one in (tagger, loaded):
        assert one.tag(X) == tagger.tag(X)
        assert one.tag(other) == tagger.tag(other) != [[]]  # one entry is in a column that training did not use
        assert one.score(X, [[str(label)] for label in labels]) > 0.3
    report = tagger.evaluate(Dataset(Y=Y, label_names=NumberNames(50_000_000), X=X))
    assert report.n_documents == 20


def test_single_texts_equal_batches_where_columns_are_selected():
    tagger = Tagger(XRLinear(threads=1), vectorizer=Hashing(n_features=2**30)).fit(TEXTS, LABELS)
    assert tagger.columns_.used is not None
    texts = [*TEXTS, "unheard", "water unheard of", ""]
    assert [tagger.tag([text])[0] for text in texts] == tagger.tag(texts)


SCRIPTS = {
    "ja": ["銀行の新しい税金について", "川の魚と水質汚染", "所得税の控除"],
    "zh": ["银行的新税", "河里的鱼和水污染", "所得税抵免"],
    "th": ["ภาษีใหม่ของธนาคาร", "ปลาในแม่น้ำ", "มลพิษทางน้ำ"],
    "hi": ["बैंकों पर नया कर", "नदियों में मछली", "जल प्रदूषण"],
}
PLAIN = {
    "fi": ["uusi pankkivero", "joen kala", "veden saastuminen"],
    "ru": ["новый налог на банки", "рыба в реках", "загрязнение воды"],
    "ko": ["은행에 대한 새로운 세금", "강의 물고기", "수질 오염"],
    "ar": ["ضريبة جديدة على البنوك", "أسماك في الأنهار", "تلوث المياه"],
    "numbers": ["1 2 3", "4 5 6", "7 8 99"],
}


@pytest.mark.parametrize("language", [*SCRIPTS, *PLAIN])
def test_scripts_that_words_do_not_suit_get_a_warning(language):
    texts = (SCRIPTS | PLAIN)[language] * 4
    names = [["a"], ["b"], ["c"]] * 4
    longer = (5, 5) if language == "numbers" else None
    words = Tagger(vectorizer=Tfidf(min_df=1, words=(1, 2), characters=longer, runs=None))
    characters = Tagger(vectorizer=Tfidf(min_df=1, characters=(1, 3)))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        words.fit(texts, names)
    assert [warning.category for warning in found] == [RamifyWarning] * (language in SCRIPTS)
    assert all("characters=(1, 3)" in str(warning.message) for warning in found)
    characters.fit(texts, names)  # no warning, which the tests take for an error
    assert characters.score(texts, names) == 1.0


def test_a_bare_model_refuses_what_only_a_tagger_selects_from():
    X = sp.csr_matrix((np.ones(2, np.float32), np.array([3, WIDTH - 1], np.int32), [0, 1, 2]), (2, WIDTH))
    with pytest.raises(InputError, match=r"2,147,483,647 features.*fit a Tagger"):
        XRLinear().fit(X, np.eye(2))
    assert len(Tagger(XRLinear()).fit(X, np.eye(2)).tag(X)) == 2


@pytest.mark.parametrize("part", ["xr-linear", 5, [], object()])
def test_what_is_no_estimator_is_refused(part):
    for name in ("model", "vectorizer"):
        with pytest.raises(InputError, match=rf"{name} is .*must be an object such as"):
            Tagger(**{name: part}).fit(TEXTS, LABELS)


def test_a_matrix_as_lists_is_not_taken_for_names():
    Y = MultiLabelBinarizer().fit_transform(LABELS)
    for labels in (Y.tolist(), Y.astype(object)):
        with pytest.raises(InputError, match=r"np\.asarray"):
            small().fit(TEXTS, labels)


def test_no_texts_have_no_labels():
    assert len(small().fit(TEXTS, LABELS).predict([])) == 0
    Y = MultiLabelBinarizer().fit_transform(LABELS)
    assert small().fit(TEXTS, Y).predict([]).shape == (0, 5)


@pytest.mark.parametrize("n_labels", [1, 2, 4])
def test_settings_are_chosen_on_data_with_few_labels(n_labels):
    labels = [[str(number % n_labels)] for number in range(len(TEXTS))]
    tagger = Tagger(Blend(trees=1, threads=1), vectorizer=Tfidf(min_df=1)).fit(TEXTS, labels)
    assert len(tagger.tag(["water"])[0]) <= n_labels


def test_a_label_number_that_does_not_exist_is_named():
    class Stranger:
        def fit(self, X, Y):
            return self

        def predict_topk(self, X, k):
            return TopK(np.full((X.shape[0], k), 77, np.int32), np.zeros((X.shape[0], k), np.float32))

    tagger = Tagger(Stranger()).fit(["river lake", "flame smoke"] * 2, [["w"], ["f"]] * 2)
    with pytest.raises(InputError, match=r"Stranger ranks label 77, but must rank labels of 0\.\.1"):
        tagger.tag(["river"], 1)
