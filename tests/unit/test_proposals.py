"""Tagger.proposals: labels and names of new labels in open decoding, and what is refused."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer

import ramify
from fruit_documents import KNOWN, LEFT_OUT
from ramify import InputError, Tagger, TopK
from ramify.generate import Written
from ramify.tagger.proposing import Proposals

TEXTS, LABELS = ["river lake", "smoke fire"] * 3, [["water"], ["heat"]] * 3


@pytest.fixture(scope="module")
def tagger(fruit_model):
    return ramify.load(fruit_model)


# --- a trained generator ---


def test_labels_that_are_left_out_of_the_training_are_proposed(tagger):
    names = sorted(LEFT_OUT)
    for name, written in zip(names, tagger.proposals([f"a {name} lake" for name in names]), strict=True):
        assert written.new[0][0] == name
        assert written.new[0][1] > 0.5
        assert all(score < 0.1 for _, score in written.labels)


def test_known_labels_are_written_and_nothing_new(tagger):
    written = tagger.proposals([text for text, _ in KNOWN])
    assert [one.labels[0][0] for one in written] == [labels[0] for _, labels in KNOWN]
    assert all(one.labels[0][1] > 0.5 for one in written)
    assert all(score < 0.1 for one in written for _, score in one.new)


def test_proposals_are_no_labels_and_are_sorted(tagger):
    for one in tagger.proposals(["green lake pear", "black rain", "a blue cherry", "plum plum"], beam=6):
        assert {name for name, _ in one.labels} <= set(tagger.label_names_)
        assert not {name for name, _ in one.new} & set(tagger.label_names_)
        for tags in (one.labels, one.new):
            scores = [score for _, score in tags]
            assert scores == sorted(scores, reverse=True)
            assert all(0 < score <= 1 for score in scores)


def test_beam_of_one_is_greedy(tagger):
    [one] = tagger.proposals(["a green pear lake"], beam=1)
    assert one.labels == []
    assert [name for name, _ in one.new] == ["green pear"]


def test_the_result_for_a_text_depends_on_no_other_text_and_no_number_of_threads(tagger):
    texts = ["a green pear lake", "", "a red apple rain", "a black cherry", "  \n"]
    together = tagger.proposals(texts)
    for threads in (1, 3):
        for text, wanted in zip(texts, together, strict=True):
            [one] = tagger.proposals([text], threads=threads)
            for found, expected in ((one.labels, wanted.labels), (one.new, wanted.new)):
                assert [name for name, _ in found] == [name for name, _ in expected]
                assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_nothing_is_written_for_empty_texts(tagger):
    assert tagger.proposals([]) == []
    assert tagger.proposals(["", " \n "]) == [Proposals([], [])] * 2
    assert tagger.proposals(["", "a green pear lake"])[0] == Proposals([], [])


def test_bad_arguments(tagger):
    for texts, message in (
        ("a green pear", "texts is a single string: wrap it in a list"),
        (None, "texts is None, but must be a list of str"),
        (["a", 3], r"texts\[1\] is a int, but must be a str"),
    ):
        with pytest.raises(InputError, match=message):
            tagger.proposals(texts)
    for beam in (0, "wide", 2.5):
        with pytest.raises(InputError, match=r"beam is .*, but must be a whole number of at least 1"):
            tagger.proposals(["a green pear"], beam=beam)
    with pytest.raises(InputError, match="threads is 0"):
        tagger.proposals(["a green pear"], threads=0)


def test_a_text_that_is_no_string_is_refused_by_tag_as_well(tagger):
    with pytest.raises(InputError, match=r"texts\[1\] is a NoneType, but must be a str"):
        tagger.tag(["a", None])


# --- other models ---


@pytest.mark.parametrize("model", [ramify.XRLinear(threads=1), ramify.NearestInstances(threads=1), ramify.Blend()])
def test_a_model_without_proposals_is_named_with_the_remedy(model):
    tagger = Tagger(model).fit(TEXTS, LABELS)
    for texts in (TEXTS, []):
        with pytest.raises(InputError) as caught:
            tagger.proposals(texts)
        name = type(model).__name__
        assert str(caught.value).startswith(f"{name} proposes no new labels: use a model that writes label names")
        assert "--model xlgen" in str(caught.value)


def test_an_unfitted_tagger():
    with pytest.raises(NotFittedError):
        Tagger().proposals(["a text"])


class Writer:
    """A user's object that writes what it is given."""

    needs = frozenset({"texts"})
    abilities = frozenset({"proposals", "beam"})

    def __init__(self, written=()):
        self.written, self.requests = written, []

    def fit_training(self, training):
        self.n_labels_ = training.Y.shape[1]
        return self

    def answer(self, request):
        n = len(request)
        return TopK(np.zeros((n, request.k), np.int32), np.ones((n, request.k), np.float32))

    def proposals(self, request):
        self.requests.append(request)
        return self.written


def _writer(written):
    tagger = Tagger(Writer()).fit(TEXTS, LABELS)
    tagger.model_.written = written
    return tagger


def test_an_object_of_ones_own():
    tagger = _writer([Written([(1, 0.75), (0, 0.25)], [("steam", 0.5)]), Written([], [("ash", 0.125)])])
    assert tagger.proposals(["river smoke", " "], beam=7, threads=2) == [
        Proposals([("water", 0.75), ("heat", 0.25)], [("steam", 0.5)]),
        Proposals([], []),
    ]
    [request] = tagger.model_.requests
    assert (list(request.texts), request.beam, request.threads) == (["river smoke", " "], 7, 2)
    assert tagger.proposals([" "]) == [Proposals([], [])]
    assert len(tagger.model_.requests) == 1


class WriterOfFeatures(Writer):
    """Writes for features."""

    needs = frozenset({"X"})


def test_an_object_that_uses_features():
    tagger = Tagger(WriterOfFeatures()).fit(TEXTS, LABELS)
    tagger.model_.written = [Written([], [("steam", 0.5)])] * 2
    assert tagger.proposals(["river", "unknown"]) == [Proposals([], [("steam", 0.5)]), Proposals([], [])]
    assert tagger.proposals([]) == []
    assert len(tagger.model_.requests) == 1
    other = Tagger(WriterOfFeatures(), vectorizer=TfidfVectorizer()).fit(TEXTS, LABELS)  # which refuses no texts
    assert other.proposals([]) == []
    of_features = Tagger(WriterOfFeatures()).fit(np.eye(6, dtype=np.float32), LABELS)
    of_features.model_.written = [Written([(0, 1.0)], [])] * 6
    name = of_features.label_names_[0]
    assert of_features.proposals(np.eye(6, dtype=np.float32)) == [Proposals([(name, 1.0)], [])] * 6


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ([], r"Writer returned \[\] as proposals, but must return one object .* for each of 1 texts"),
        (None, "Writer returned None as proposals"),
        ([("a", 1.0)], "Writer returned .* must return one object with labels and proposals"),
        ([Written([(2, 0.5)], [])], r"Writer writes label 2, but must write labels of 0\.\.1"),
        ([Written([("water", 0.5)], [])], "Writer writes label 'water'"),
    ],
)
def test_wrong_results_of_an_object_are_refused(written, message):
    with pytest.raises(InputError, match=message):
        _writer(written).proposals(["river"])


def test_an_ability_without_its_method_is_none():
    class Silent(Writer):
        proposals = None

    with pytest.raises(InputError, match="Silent proposes no new labels"):
        Tagger(Silent()).fit(TEXTS, LABELS).proposals(["river"])
