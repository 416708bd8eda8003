"""Tagger.explain: exact sums, names, words, members, copies, votes, words left out, and its views."""

import html.parser
import itertools
import json
import re
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

import ramify
from ramify import Blend, Disentangled, Ensemble, Hashing, NearestInstances, Partitioned, Tagger, Tfidf, TopK, XRLinear
from ramify.errors import InputError
from ramify.features.dense_text import DenseText
from ramify.index import KMeansIndexer
from ramify.models.base.reasons import MixtureReason, StagesReason, TreeReason, VoteReason
from ramify.tagger.explain.explanation import Term, Word
from ramify.tagger.explain.occlusion import occlude
from ramify.tagger.explain.pieces import tokens_of
from ramify.tagger.explain.plain import term_lines

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}
WORDS = {name: words.split() for name, words in TOPICS.items()}
TEXTS = [f"{WORDS[name][n % 4]} {WORDS[name][(n + 1) % 4]} report" for n in range(12) for name in TOPICS]
LABELS = [[name, f"{name} {n % 2}"] if n % 3 else [name] for n in range(12) for name in TOPICS]
TREE = {"branching": 2, "max_leaf": 2, "threads": 1}


def fitted(model=None, vectorizer=None, texts=TEXTS, labels=LABELS):
    return Tagger(model, vectorizer=vectorizer).fit(texts, labels)


def check_sums(reason):
    for path in reason.paths:
        for node in path.nodes:
            assert node.bias + node.contributions.sum() + (node.dense or 0) == pytest.approx(node.margin, abs=1e-9)


def scores(tagger, text, k=5):
    return dict(tagger.tag([text], k)[0])


@pytest.mark.parametrize("settings", [{}, {"path_weight": 1.0}, {"tail_rank": 0.5}, {"score_transform": "log-sigmoid"}])
@pytest.mark.parametrize("precision", ["int8", "bf16", "fp32"])
def test_the_score_is_that_of_tag(settings, precision):
    tagger = fitted(XRLinear(**TREE, **settings, precision=precision))
    for text in TEXTS[:4]:
        found = scores(tagger, text)
        explanation = tagger.explain(text, list(found))
        assert {one.label: one.score for one in explanation.labels} == pytest.approx(found, rel=1e-6)
        for one in explanation.labels:
            check_sums(one.reason)
            leaf = one.reason.paths[0].nodes[-1]
            margin = sum(term.strength for term in one.terms) + leaf.bias
            above = sum(node.margin - node.bias for node in one.reason.paths[0].nodes[:-1])
            assert margin == pytest.approx(leaf.margin + tagger.model_.path_weight * above, abs=1e-9)


def test_the_best_label_is_the_default_and_words_are_those_of_the_text():
    explanation = fitted().explain("Rain! Floods, river; smoke")
    [one] = explanation.labels
    assert one.label == "water"
    positive, negative = one.strongest()
    assert {term.text for term in positive} == {"rain", "river"}
    assert [term.text for term in negative] == ["smoke"]
    marked = {explanation.text[word.begin : word.end]: word.strength for word in one.words}
    assert marked["Rain"] > 0 > marked["smoke"]
    assert "".join(piece for piece, _ in one.segments(explanation.text)) == explanation.text


def test_stems_are_traced_to_words():
    texts = [f"The {word} of the national administration was regulated by the committee" for word in
             ("pollution", "polluting", "pollutes", "banking", "banks", "banked")] * 8  # fmt: skip
    labels = [["Pollution"]] * 3 + [["Banks"]] * 3
    tagger = fitted(vectorizer=Tfidf(language="en"), texts=texts, labels=labels * 8)
    one = tagger.explain("They were polluting rivers").labels[0]
    assert one.label == "Pollution"
    assert one.terms[0].text == "polluting"
    several = tagger.explain("They were polluting, it pollutes rivers").labels[0]
    assert several.terms[0].text == "polluting / pollutes"
    assert {several.words[0].strength, several.words[1].strength} == {several.terms[0].strength / 2}
    assert one.names.feature(one.reason.paths[0].nodes[-1].columns[0]) in list(tagger.vectorizer_.vocabulary_)


def test_hashed_features_are_named_by_the_words_that_hash_there():
    tagger = fitted(vectorizer=Hashing(n_features=64))
    one = tagger.explain("river rain report", "water").labels[0]
    node = one.reason.paths[0].nodes[-1]
    names = {one.names.feature(column) for column in node.columns.tolist()}
    found = {word for name in names for word in name.split(" / ")}
    assert found <= {"river", "rain", "report", "river rain", "rain report"}
    assert {"river", "rain"} <= found
    assert sum(word.strength for word in one.words) == pytest.approx(sum(term.strength for term in one.terms))


@pytest.mark.parametrize(
    "vectorizer",
    [
        Tfidf(words=(1, 3), min_df=1),
        Tfidf(words=None, characters=(2, 4)),
        Tfidf(characters=(3, 5), within_words=False, min_df=1),
        Hashing(words=(1, 2), characters=(3, 3)),
        TfidfVectorizer(ngram_range=(1, 2)),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)),
    ],
    ids=lambda vectorizer: str(vectorizer)[:30],
)
def test_every_feature_of_the_text_has_a_place(vectorizer):
    tagger = fitted(vectorizer=vectorizer, texts=[*TEXTS[:-1], "river, lake-side report; x rain"])
    for text in ("river, lake-side report; x rain", "flame smoke report"):
        one = tagger.explain(text).labels[0]
        assert sum(word.strength for word in one.words) == pytest.approx(sum(term.strength for term in one.terms))
        assert all(term.text in " ".join(text.split()) for term in one.terms), [term.text for term in one.terms]


def test_names_of_concatenated_vectorizers():
    tagger = fitted(vectorizer=Tfidf(min_df=1) + Tfidf(words=None, characters=(3, 3), min_df=1))
    one = tagger.explain("river rain report", "water").labels[0]
    names = tagger.vectorizer_.get_feature_names_out()
    columns = one.reason.paths[0].nodes[-1].columns.tolist()
    assert {one.names.feature(column) for column in columns} == {names[column] for column in columns}
    assert {" ri", "river"} <= {names[column] for column in columns}
    assert {term.text for term in one.terms} <= {"river", "rain", "report"}


def test_scripts_without_blanks_are_traced_to_characters():
    texts = ["水污染防治", "河流水污染", "银行税收", "银行存款"] * 6
    tagger = fitted(texts=texts, labels=[["water"], ["water"], ["banks"], ["banks"]] * 6)
    explanation = tagger.explain("税收与水污染", "water")
    marked = {explanation.text[w.begin : w.end]: w.strength for w in explanation.labels[0].words}
    assert marked["水"] > 0 > marked["税"]


def test_columns_of_a_wide_matrix_keep_their_numbers():
    tagger = fitted(vectorizer=Hashing(n_features=2**22))
    assert tagger.columns_.used is not None
    one = tagger.explain("river rain report", "water").labels[0]
    assert {"river", "rain"} <= {term.text for term in one.terms}


def test_features_in_place_of_texts():
    X = Tfidf().fit_transform(TEXTS)
    tagger = Tagger().fit(X, LABELS)
    explanation = tagger.explain(X[3])
    assert explanation.text is None
    assert explanation.labels[0].words == ()
    assert all(re.fullmatch(r"feature \d+", term.text) for term in explanation.labels[0].terms)
    assert explanation.labels[0].score == pytest.approx(tagger.tag(X[3], 1)[0][0][1])
    with pytest.raises(InputError, match="the features have 36 rows, but reasons are given for one instance"):
        tagger.explain(X)


def test_a_loaded_model_gives_the_same_reasons(tmp_path):
    tagger = fitted(Blend(trees=2, branching=2, max_leaf=2, threads=1))
    tagger.save(tmp_path / "m")
    for mapped in (True, False):
        loaded = ramify.load(tmp_path / "m", mapped=mapped)
        assert loaded.explain(TEXTS[0]).as_dict() == tagger.explain(TEXTS[0]).as_dict()


# --- mixtures ---


@pytest.mark.parametrize("combine", ["average", "rank", "softmax", "sigmoid"])
@pytest.mark.parametrize("candidates", [1, 2, 20])
def test_parts_of_the_members_add_up(combine, candidates):
    members = [XRLinear(**TREE), NearestInstances(neighbours=5), ramify.PopularLabels()]
    model = Ensemble(members, combine=combine, weights=[3, 2, 1], candidates=candidates, threads=1)
    tagger = fitted(model)
    found = scores(tagger, TEXTS[1], 2)
    explanation = tagger.explain(TEXTS[1], list(found), k=2)
    for one in explanation.labels:
        assert isinstance(one.reason, MixtureReason)
        assert one.score == pytest.approx(found[one.label], rel=1e-6)
        assert sum(member.part for member in one.reason.members) == pytest.approx(one.score, rel=1e-6)
        assert [member.weight for member in one.reason.members] == pytest.approx([1 / 2, 1 / 3, 1 / 6])
        assert all(member.part == pytest.approx(member.weight * member.value) for member in one.reason.members)
        kinds = [type(member.reason) for member in one.reason.members]
        assert kinds == [TreeReason, VoteReason, type(None)]


def test_a_label_that_no_member_ranks_has_no_part():
    tagger = fitted(Ensemble([XRLinear(**TREE), NearestInstances()], candidates=1))
    one = tagger.explain(TEXTS[0], "fire", k=1)["fire"]
    assert (one.ranked, one.score) == (False, 0.0)
    assert "not among its candidates" in str(tagger.explain(TEXTS[0], "fire", k=1))


def test_a_blend_states_the_factor_of_the_label():
    tagger = fitted(Blend(branching=2, max_leaf=2, tail_rank=0.6, threads=1))
    found = scores(tagger, TEXTS[1])
    for one in tagger.explain(TEXTS[1], list(found)).labels:
        parts = sum(member.part for member in one.reason.members)
        assert parts * one.reason.factor == pytest.approx(one.score, rel=1e-5)
        assert one.score == pytest.approx(found[one.label], rel=1e-6)
    assert any(one.reason.factor < 1 for one in tagger.explain(TEXTS[1], list(found)).labels)


# --- copies ---


@pytest.mark.parametrize("merge", ["max", "mean", "sum"])
def test_copies_are_listed_and_the_reached_ones_give_the_score(merge):
    model = Disentangled(XRLinear(branching=2, max_leaf=2, merge_copies=merge, beam=2, threads=1), copies=2, cap=0)
    tagger = fitted(model)
    several = 0
    for text in TEXTS[:6]:
        found = scores(tagger, text, 4)
        for one in tagger.explain(text, list(found)).labels:
            assert one.score == pytest.approx(found[one.label], rel=1e-5)
            reached = [path.score for path in one.reason.paths if path.reached]
            several += len(one.reason.paths) > 1
            merged = {"max": max(reached), "mean": np.mean(reached), "sum": sum(reached)}[merge]
            assert merged == pytest.approx(one.score, rel=1e-5)
            assert "feature " not in str(tagger.explain(text, one.label, k=4))
            assert [path.reached for path in one.reason.paths] == sorted(
                (path.reached for path in one.reason.paths), reverse=True
            )
    assert several


def test_a_label_beyond_the_beam_is_explained_as_such():
    tagger = fitted(XRLinear(**TREE, beam=1))
    missed = [name for name in tagger.label_names_ if name not in scores(tagger, TEXTS[0], 9)]
    one = tagger.explain(TEXTS[0], missed[0]).labels[0]
    assert not one.ranked
    assert "not reached by the beam" in str(tagger.explain(TEXTS[0], missed[0]))
    assert tagger.explain(TEXTS[0], missed[0], beam=99).labels[0].ranked
    assert tagger.explain(TEXTS[0], missed[0], allowed=[missed[0]]).labels[0].ranked


# --- neighbours ---


def test_documents_that_voted():
    tagger = fitted(NearestInstances(neighbours=4, power=2.0))
    found = scores(tagger, TEXTS[7])
    X = tagger.features(TEXTS)
    for one in tagger.explain(TEXTS[7], list(found)).labels:
        votes = one.reason.votes
        assert votes[0].similarity == pytest.approx(1, abs=1e-5)  # the document itself
        assert sum(vote.weight for vote in votes) == pytest.approx(1)
        assert sum(vote.part for vote in votes) == pytest.approx(found[one.label], rel=1e-5)
        assert one.reason.contributions.sum() == pytest.approx(found[one.label], rel=1e-5)
        for vote in votes:
            assert (one.number in vote.labels) == (vote.part > 0)
            assert (vote.similarity > 0.999) == bool(np.allclose(X[vote.point].toarray(), X[7].toarray()))


def test_similarities_are_cosines():
    tagger = fitted(NearestInstances(weighting="none", neighbours=30))
    query = tagger.features(["river rain smoke"])
    cosines = np.asarray((tagger.features(TEXTS) @ query.T).todense()).ravel()
    for vote in tagger.explain("river rain smoke").labels[0].reason.votes:
        assert vote.similarity == pytest.approx(cosines[vote.point], abs=1e-6)


@pytest.mark.parametrize("among", ["instances", "labels"])
@pytest.mark.parametrize("dimensions", [3, 128])
def test_dense_neighbours(among, dimensions):
    pytest.importorskip("usearch")
    tagger = fitted(ramify.DenseNeighbours(among=among, dimensions=dimensions, neighbours=5, threads=1))
    found = scores(tagger, TEXTS[4])
    for one in tagger.explain(TEXTS[4], list(found)).labels:
        assert one.score == pytest.approx(found[one.label], rel=1e-4)
        assert one.reason.contributions.sum() == pytest.approx(found[one.label], rel=1e-4)


# --- matcher and ranker ---


@pytest.mark.parametrize("ranker", ["linear", "cosine", "mixed"])
@pytest.mark.parametrize("matcher", ["linear", "nearest", "popular", "blend"])
def test_matcher_and_ranker(matcher, ranker):
    model = Partitioned(matcher=matcher, ranker=ranker, indexer=KMeansIndexer(branching=2, max_leaf=2), threads=1)
    tagger = fitted(model)
    found = scores(tagger, TEXTS[2])
    for one in tagger.explain(TEXTS[2], list(found)).labels:
        assert isinstance(one.reason, StagesReason)
        assert one.score == pytest.approx(found[one.label], rel=1e-5)
        assert (one.reason.clusters[0].reason is None) == (matcher == "popular")
        clusters = tagger.model_.clusters_.toarray()
        for cluster in one.reason.clusters:
            assert one.number in cluster.labels
            assert cluster.labels.tolist() == np.flatnonzero(clusters[:, cluster.cluster]).tolist()
        assert "cluster" in str(tagger.explain(TEXTS[2], one.label))


# --- words left out ---


class Counting:
    """A model of a user's own: the score of label l is the sum of features below column 3 (l + 1)."""

    def fit(self, X, Y):
        self.n_labels_ = Y.shape[1]

    def predict_topk(self, X, k):
        sums = np.cumsum(X.toarray(), axis=1)[:, 2 : 3 * self.n_labels_ : 3].astype(np.float32)
        sums = np.pad(sums, ((0, 0), (0, self.n_labels_ - sums.shape[1])))
        labels = np.argsort(-sums, axis=1, kind="stable")[:, :k].astype(np.int32)
        return TopK(labels, np.take_along_axis(sums, labels, axis=1))


def test_a_model_without_reasons_is_explained_by_leaving_out_words():
    tagger = fitted(Counting(), Tfidf(norm=None, sublinear=False, min_df=1))
    one = tagger.explain("river rain rain report").labels[0]
    assert one.reason is None
    found = one.occlusion
    assert (found.gap, found.error) == pytest.approx((0, 0), abs=1e-6)  # the score is a sum over words
    assert found.total == pytest.approx(one.score)
    assert found.values[1] == pytest.approx(found.values[2])
    assert len(found.values) == 4
    normalised = fitted(Counting(), Tfidf(min_df=1)).explain("river rain rain report").labels[0].occlusion
    assert normalised.gap == pytest.approx(0, abs=1e-6)
    assert normalised.error > 0.01


def test_the_error_of_the_orders_covers_the_shapley_values():
    """For 6 words, against all 720 orders: the value is the largest weight, so words replace each other."""
    weights = {"a1": 1.0, "b1": 0.9, "c1": 0.5, "d1": 0.2, "e1": -0.3, "f1": 0.0}

    def values(texts):
        return np.array([[max((weights[word] for word in text.split()), default=0.0)] for text in texts])

    text = " ".join(weights)
    [found] = occlude(values, text, tokens_of(text))
    exact = np.zeros(6)
    for order in itertools.permutations(range(6)):
        before = 0.0
        for count, unit in enumerate(order, 1):
            value = values([" ".join(text.split()[at] for at in order[:count])])[0, 0]
            exact[unit] += (value - before) / 720
            before = value
    assert found.gap == pytest.approx(0, abs=1e-12)
    assert np.sqrt(np.square(found.values - exact).mean()) < 2 * found.error
    assert found.error < 0.3


def replaced_occlusion(one, values, error):
    """The explanation with other attributions of the words a1, b1, ..."""
    names = [f"{letter}1" for letter in "abcdef"]
    terms = [Term(text=name, strength=value, error=error) for name, value in zip(names, values, strict=False)]
    words = [Word(begin=3 * at, end=3 * at + 2, strength=value, error=error) for at, value in enumerate(values)]
    return replace(one, terms=tuple(terms), words=tuple(words))


def test_words_under_two_standard_errors_are_no_reasons():
    tagger = fitted(Counting(), Tfidf(min_df=1))
    explanation = tagger.explain("river rain report")
    text = "a1 b1 c1 d1"
    one = replaced_occlusion(explanation.labels[0], [0.5, 0.19, -0.3, -0.1], 0.1)
    assert [[term.text for term in side] for side in one.strongest()] == [["a1"], ["c1"]]
    assert one.n_uncertain == 2
    assert [piece for piece, shade in one.segments(text) if shade] == ["a1", "c1"]
    assert one.reasons_dict()["occlusion"]["uncertain"] == 2
    none = replaced_occlusion(explanation.labels[0], [0.19, -0.1], 0.1)
    shown = str(replace(explanation, labels=(none,)))
    assert "for: no word of 2 standard errors or more" in shown
    assert "against: no word of 2 standard errors or more" in shown


def test_errors_of_words_are_those_of_the_occlusion():
    tagger = fitted(Counting(), Tfidf(min_df=1))
    one = tagger.explain("river rain rain report").labels[0]
    error = one.occlusion.error
    assert error > 0.01
    assert {term.text: term.error for term in one.terms} == pytest.approx(
        {term.text: error * 2**0.5 if term.text == "rain" else error for term in one.terms}
    )
    assert [word.error for word in one.words] == pytest.approx([error] * len(one.words))
    assert all(term.error == 0 for term in fitted().explain(TEXTS[0]).labels[0].terms)


def test_a_subclass_that_overrides_the_prediction_is_explained_by_its_own_scores():
    class Halved(XRLinear):
        def predict_topk(self, X, k=None, **others):
            top = super().predict_topk(X, k, **others)
            return TopK(top.labels, top.scores / 2)

    one = fitted(Halved(**TREE)).explain(TEXTS[0]).labels[0]
    assert one.reason is None
    assert one.score == pytest.approx(fitted(XRLinear(**TREE)).explain(TEXTS[0]).labels[0].score / 2)


def test_long_texts_are_left_out_in_groups():
    tagger = fitted(Counting(), Tfidf(min_df=1))
    found = tagger.explain("river rain report " * 200).labels[0].occlusion
    assert (len(found.values), found.words_per_unit) == (60, 10)
    assert found.spans[-1] == (590, 599)
    assert found.gap == pytest.approx(0, abs=1e-5)


class Lengths(DenseText):
    """Dense features that add up over words: the number of letters of each word, by its first letter."""

    RULES: ClassVar = {}

    def fit(self, texts, y=None):
        return self

    @property
    def n_columns(self):
        return 8

    def transform(self, texts):
        X = np.zeros((len(texts), 8), np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                X[row, ord(word[0]) % 8] += len(word) / 10
        return X

    def fit_transform(self, texts, y=None):
        return self.transform(texts)


@pytest.mark.parametrize("wrapped", [lambda model: model, lambda model: Ensemble([model, NearestInstances()])])
def test_the_dense_block_is_one_entry_and_divided_among_words_on_demand(wrapped):
    model = XRLinear(**TREE, normalize=False, dense_weight=1.0, precision="fp32")
    tagger = fitted(wrapped(model), Tfidf() + Lengths())
    one = tagger.explain(TEXTS[0]).labels[0]
    tree = one.reason if isinstance(one.reason, TreeReason) else one.reason.members[0].reason
    check_sums(tree)
    [dense] = [term.strength for term in one.terms if term.text == "(dense block)"]
    assert one.occlusion is None
    occluded = tagger.explain(TEXTS[0], occlusion=True).labels[0]
    assert occluded.occlusion.of == "dense block"
    assert occluded.occlusion.error == pytest.approx(0, abs=1e-5)  # the dense features add up
    assert occluded.occlusion.gap == pytest.approx(0, abs=1e-5)
    assert occluded.occlusion.total == pytest.approx(dense, abs=1e-5)
    assert sum(word.strength for word in occluded.words) == pytest.approx(sum(term.strength for term in one.terms))


def test_occlusion_of_a_linear_model_states_its_error_beside_the_reason():
    one = fitted().explain(TEXTS[0], occlusion=True).labels[0]
    found = one.occlusion
    assert isinstance(one.reason, TreeReason)
    assert found.gap == pytest.approx(0, abs=1e-6)
    assert found.whole == pytest.approx(one.score, rel=1e-6)
    assert "words left out: score " in str(fitted().explain(TEXTS[0], occlusion=True))


# --- errors ---


def test_sentences():
    tagger = fitted()
    for problem, call in {
        "the model has no label 'watr': did you mean 'water'": lambda: tagger.explain("river", "watr"),
        "no label is predicted for the text": lambda: tagger.explain("unknownword"),
        "label is an empty list": lambda: tagger.explain("river", []),
        r"text is \['river'\], but must be a single str": lambda: tagger.explain(["river"]),
        "PopularLabels has no reasons": lambda: fitted(ramify.PopularLabels()).explain("river"),
        "Counting has no reasons without texts": lambda: fitted_on_features(Counting()),
    }.items():
        with pytest.raises(InputError, match=problem):
            call()
    unused = Tagger(XRLinear(**TREE)).fit(TEXTS, np.eye(3, 4)[np.arange(36) % 3], label_names=["a", "b", "c", "d"])
    with pytest.raises(InputError, match="the label 'd' has no reasons, because no training document has it"):
        unused.explain("river", "d")
    assert tagger.explain("unknownword", "water").labels[0].terms == ()  # the bias alone


def fitted_on_features(model):
    X = Tfidf().fit_transform(TEXTS)
    return Tagger(model).fit(X, LABELS).explain(X[0])


# --- views ---

HOSTILE = '<script>alert("x")</script> & **bold** [link](x) `code` \x00\ud800'


class Tags(html.parser.HTMLParser):
    """The tags of a fragment, which must be balanced."""

    def __init__(self):
        super().__init__()
        self.seen, self.open, self.data = set(), [], []

    def handle_starttag(self, tag, attrs):
        assert not any(name.startswith("on") or name in ("src", "href", "style") for name, _ in attrs)
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.data.append(data)


def test_html_escapes_everything_and_has_no_script():
    texts = [f"{text} {HOSTILE}" for text in TEXTS]
    tagger = fitted(texts=texts, labels=[[HOSTILE, *labels] for labels in LABELS])
    explanation = tagger.explain(f"river {HOSTILE}", [HOSTILE.strip(), "water"])
    found = explanation._repr_html_()
    parsed = Tags()
    parsed.feed(found)
    assert parsed.open == []
    assert parsed.seen <= {
        "bdi",
        "div",
        "style",
        "h4",
        "span",
        "mark",
        "dl",
        "dt",
        "dd",
        "details",
        "summary",
        "table",
        "tr",
        "td",
    }
    assert '<script>alert("x")</script>' in "".join(parsed.data)
    assert "\x00" not in found
    found.encode()
    assert set(re.findall(r'class="([^"]*)"', found)) <= {
        "ramify-why", *(f"rw-{name}" for name in ("score", "text", "rows", "number")),
        *(f"rw-{kind} rw-{shade}" for kind in ("for", "against") for shade in (1, 2, 3, 4)),
    }  # fmt: skip


def test_the_style_sheet_is_scoped_and_inlined_once():
    explanation = fitted().explain(TEXTS[0])
    whole, bare = explanation.to_html(), explanation.to_html(style=False)
    [sheet] = re.findall(r"<style>\n(.*?)</style>\n", whole, re.DOTALL)
    assert whole.replace(f"<style>\n{sheet}</style>\n", "") == bare
    rules = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    selectors = [one for rule in re.findall(r"([^{}]+)\{", rules) for one in rule.split(",")]
    assert all(selector.strip().startswith(".ramify-why") for selector in selectors)
    assert "url(" not in sheet
    assert len(bare) < 5_000


def test_markdown_escapes_names_and_marks_words():
    explanation = fitted().explain("rain *of* <b>smoke</b>", "water")
    found = explanation.to_markdown()
    assert found.startswith("### water (")
    assert "> **rain** \\*of\\* \\<b\\>~~smoke~~\\</b\\>" in found
    assert "- for: rain +" in found


def test_as_dict_is_json():
    for model in (XRLinear(**TREE), NearestInstances(), Blend(branching=2, max_leaf=2), Counting()):
        explanation = fitted(model).explain(TEXTS[0], occlusion=True)
        record = json.loads(json.dumps(explanation.as_dict(top=2), allow_nan=False))
        assert len(record["labels"][0]["for"]) <= 2
        assert record["labels"][0]["occlusion"]["error"] == explanation.labels[0].occlusion.error


def test_rows_of_a_classifier_add_up_to_its_margin():
    one = fitted().explain("river rain lake flood smoke").labels[0]
    node = one.reason.paths[0].nodes[-1]
    [section] = one.as_dict(top=2)["computation"]["inner"]
    assert [row["name"] for row in section["rows"]][::3] == ["(bias)", "(3 other features)"]
    assert sum(row["number"] for row in section["rows"]) == pytest.approx(node.margin)


def test_text_states_the_score_in_numbers():
    found = str(fitted(XRLinear(**TREE, path_weight=0.5, tail_rank=0.4)).explain(TEXTS[1], "fire"))
    assert re.search(r"^fire: score 0\.\d+$", found, re.MULTILINE)
    pattern = r"path in the tree: (\S+) = (\S+) \(leaf\) × (\S+) \^ 0\.5 \(path above\) × (\S+) \(label factor\)"
    score, leaf, above, factor = map(float, re.search(pattern, found).groups())
    assert score == pytest.approx(leaf * above**0.5 * factor, rel=0.02)
    for margin, bias, features in re.findall(r"margin (\S+) = (\S+) \(bias\) (\S+) \(features\)", found):
        assert float(margin) == pytest.approx(float(bias) + float(features), abs=0.02)


def test_negligible_terms_are_not_listed():
    terms = tuple(Term(text=name, strength=value) for name, value in [("much", 2.0), ("bit", 0.021), ("dust", 0.019)])
    one = replace(fitted().explain(TEXTS[0]).labels[0], terms=(*terms, Term(text="less", strength=-0.001)))
    assert dict(term_lines(one, 5)) == {"for": "much +2, bit +0.021", "against": "none"}
    assert len(one.as_dict(top=5)["for"]) == 3  # the numbers are complete


def test_one_other_feature_and_levels_from_1():
    tagger = fitted(XRLinear(**TREE))
    [path] = tagger.explain("river rain", "water").as_dict(top=1)["labels"][0]["computation"]["inner"]
    titles = [section["title"] for section in path["inner"]]
    assert titles[0].startswith("level 1, cluster of ")
    assert titles[-1] == "the label itself"
    assert path["inner"][-1]["rows"][-1]["name"] == "(1 other feature)"


def test_names_from_right_to_left_keep_their_numbers_beside_them():
    name = "\N{RIGHT-TO-LEFT OVERRIDE}שלום"
    tagger = fitted(texts=[f"{text} שלום" for text in TEXTS], labels=[[name, *labels] for labels in LABELS])
    found = tagger.explain("river שלום", [name]).to_html(style=False)
    assert f"<h4><bdi>{name}</bdi> <span" in found
    assert re.search(r"<dd>(.*, )?<bdi>שלום</bdi> [+-]", found)
    assert '<div class="rw-text" dir="auto">' in found
