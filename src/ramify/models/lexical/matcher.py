"""Lexical matching: labels whose names occur in a text, ranked by a small learnt model.

candidates(text) = labels with a name whose words are in one sentence of the text, as a phrase or in any order
score(label)     = 1 / (1 + exp(-Σ of trees(features of label and text)))

The method is that of Maui (O. Medelyan: Human-competitive automatic topic indexing. PhD thesis, University of Waikato,
2009) and of MLLM in Annif (O. Suominen, J. Inkinen, M. Lehtinen: Annif and Finto AI. JLIS.it 13(1), 2022). Differences:
derived names, hit rates by cross-fitting, boosted trees in place of bagged ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.checks import AUTO, SEED, THREADS, Parsed, Rules, Whole, YesNo
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Sizes
from ramify.features.languages import STEMMERS, LanguageRule, detect, snowball
from ramify.kernels.lexical import Matches, NameEntries, NameSearcher
from ramify.kernels.text import checked_texts
from ramify.kernels.tree_sums import TreeSum
from ramify.match import permitted
from ramify.models.base.model import RankingModel, best_labels
from ramify.models.base.name_reasons import NameMatch, NameReason
from ramify.models.base.reasons import Reasons
from ramify.models.base.stored import stored_array, stored_size
from ramify.models.lexical.described import Described
from ramify.models.lexical.features import (
    FEATURES,
    LabelCounts,
    Relations,
    candidate_features,
    matched_labels,
)
from ramify.models.lexical.names import LabelNames, StemWords, checked_alternatives, checked_pairs, entries_of
from ramify.models.lexical.ranker import fit_trees, probabilities
from ramify.values import CSR, Int64, TopK, empty_csr

BLOCK = 4096
"""Number of texts that are matched at a time."""

FOLDS = 5
"""Parts of the training documents; the features of a document use the counts of the other parts."""

MOST_EXAMPLES = 500_000
"""Approximate maximum number of candidates on which the trees are trained: fewer documents where texts have many."""

NAMED = ("alternative_names", "broader", "related")
"""Settings that a model directory holds in the form of names and relations."""

COUNTS = ("counts", "cands", "hits")


KINDS = ("preferred", "alternative", "derived")


class LexicalMatcher(RankingModel):
    """Ranks the labels whose names occur in the text; it also predicts labels that no training document has.

    It learns from texts and label names, and from alternative names and relations of a vocabulary, if the training data
    have one (``Training.vocabulary``). Words are compared by their Snowball stems.

    Parameters
    ----------
    language : str or None, default "auto"
        Code of ISO 639-1 that selects the stemmer. "auto": detected from texts and names. None, or a language without
        stemmer: words are compared in lower case.
    derive : bool, default True
        Whether shorter names are derived: without additions in parentheses, without years; the heading before " -- ".
    alternative_names : mapping of str to list of str, optional
        Alternative names by label name, besides those of the vocabulary.
    broader, related : sequence of (str, str), optional
        Pairs of label names, besides those of the vocabulary: a label and its broader label, and related labels.
    most_labels : int, default 50
        Maximum number of candidates of one name, for names that labels share.
    documents : int, default 3000
        Maximum number of training documents on which the trees are trained; frequencies use all.
    ranking_trees : int, default 100
        Number of trees.
    seed : int, default 0
        Random seed; the same seed gives the same model for any number of threads.
    threads : int, optional
        Number of threads; None uses every CPU.

    Attributes
    ----------
    language_ : str or None
        Language of the stemmer; None without stems.
    entries_ : NameEntries
        Names as sequences of tokens, with their labels.
    counts_ : LabelCounts
        Training documents of each label, with its name, and with both.
    trees_ : TreeSum
        Trees over the features ``FEATURES``.
    relations_ : Relations
        Broader and related labels.
    n_labels_ : int
        Number of labels L.
    """

    RULES: ClassVar[Rules] = {
        "language": LanguageRule(optional=True),
        "derive": YesNo(),
        "alternative_names": Parsed(checked_alternatives, "a JSON object in a settings file", optional=True),
        "broader": Parsed(checked_pairs, "a JSON list of pairs in a settings file", optional=True),
        "related": Parsed(checked_pairs, "a JSON list of pairs in a settings file", optional=True),
        "most_labels": Whole(1, 2**20),
        "documents": Whole(1, 2**31 - 1),
        "ranking_trees": Whole(1, 10_000),
        "seed": SEED,
        "threads": THREADS,
    }
    FLAGS = ("derive", "most_labels", "documents")

    def __init__(
        self,
        *,
        language: str | None = AUTO,
        derive: bool = True,
        alternative_names: Mapping[str, Sequence[str]] | None = None,
        broader: Sequence[tuple[str, str]] | None = None,
        related: Sequence[tuple[str, str]] | None = None,
        most_labels: int = 50,
        documents: int = 3000,
        ranking_trees: int = 100,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.language = language
        self.derive = derive
        self.alternative_names = alternative_names
        self.broader = broader
        self.related = related
        self.most_labels = most_labels
        self.documents = documents
        self.ranking_trees = ranking_trees
        self.seed = seed
        self.threads = threads

    @property
    def needs(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"texts", "label_names"})

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"reasons"})

    def _learn(self, training: CheckedTraining) -> None:
        """Build the entries of the names, count their occurrences, and train the trees.

        Raises
        ------
        InputError
            Another number of names than of labels, or no name with a word.
        """
        names, texts, Y = list(training.label_names or ()), checked_texts(training.texts or ()), training.Y
        if len(names) != Y.shape[1]:
            raise InputError(f"LexicalMatcher has {len(names)} label names for {Y.shape[1]} labels: give one for each")
        training.report("index", 0.0)
        described = Described.of(
            names,
            training.vocabulary,
            alternative=self.alternative_names,
            broader=self.broader,
            related=self.related,
        )
        self.n_labels_, self.language_ = len(names), self._language_of([*texts, *names])
        counts = np.bincount(Y.indices, minlength=len(names)).astype(np.int64)
        self._set_entries(
            entries_of(
                LabelNames.of(described.preferred, described.alternative, derive=self.derive),
                counts,
                stem_words=_stemmer(self.language_),
                most_labels=self.most_labels,
                threads=training.threads,
            )
        )
        if len(self.entries_.key_places) == 0:
            raise InputError(
                "LexicalMatcher finds labels by their names, but no label name has a word of two or more letters: give "
                "names by a file (--names), or leave the model lexical out"
            )
        self.relations_ = described.relations
        training.report("index", 1.0)
        self._train_trees(training, texts)

    def _language_of(self, sample: Sequence[str]) -> str | None:
        code = detect(sample).language if self.language == AUTO else self.language
        return code if code in STEMMERS else None

    def _set_entries(self, entries: NameEntries) -> None:
        self.entries_ = entries
        self._searcher = NameSearcher(entries, _stemmer(self.language_))

    def _set_counts(self, counts: LabelCounts) -> None:
        self.counts_, self._frequencies = counts, counts.columns()

    def _train_trees(self, training: CheckedTraining, texts: tuple[str, ...]) -> None:
        """Count in all documents, by fold; train on a sample."""
        rng = np.random.default_rng(training.seed)
        fold = rng.permutation(len(texts)) % FOLDS
        folds = [self._counts_in(training, texts, np.flatnonzero(fold == one)) for one in range(FOLDS)]
        self._set_counts(sum(folds[1:], folds[0]))
        labelled = np.flatnonzero(np.diff(training.Y.indptr))
        most = MOST_EXAMPLES * len(texts) // max(1, int(self.counts_.cands.sum()))
        chosen = np.sort(rng.permutation(labelled)[: max(1, min(self.documents, most))])
        parts = []
        for one in range(FOLDS):
            rows = chosen[fold[chosen] == one]
            parts.append(self._examples(training, texts, rows, self.counts_ - folds[one]))
            training.report("train", (one + 1) / (FOLDS + 1))
        rows, positive = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.trees_ = fit_trees(rows, positive, n_trees=self.ranking_trees, seed=training.seed)
        training.report("train", 1.0)

    def _counts_in(self, training: CheckedTraining, texts: tuple[str, ...], rows: Int64) -> LabelCounts:
        nothing = empty_csr(0, self.n_labels_)
        total = LabelCounts.of(nothing, nothing)
        for first in range(0, len(rows), BLOCK):
            block = rows[first : first + BLOCK]
            matches = self._searcher.match(tuple(texts[row] for row in block.tolist()), training.threads)
            total += LabelCounts.of(matched_labels(matches, self.n_labels_), training.Y[block])
        return total

    def _examples(
        self, training: CheckedTraining, texts: tuple[str, ...], rows: Int64, counts: LabelCounts
    ) -> tuple[Any, Any]:
        """Features of the candidates of some training documents, and whether they are labels of these."""
        matches = self._searcher.match(tuple(texts[row] for row in rows.tolist()), training.threads)
        features = candidate_features(matches, counts.columns(), self.relations_)
        matched = matched_labels(matches, self.n_labels_)
        matched.data[:] = np.arange(1, len(matched.data) + 1)
        positive = np.zeros(len(matched.data), bool)
        hits = matched.astype(np.float64).multiply(training.Y[rows]).tocsr()
        positive[hits.data.astype(np.int64) - 1] = True
        return features, positive

    def _rank(self, request: CheckedRequest) -> TopK:
        """Rank the candidates; a text without candidates has no labels."""
        self.check_settings()
        texts, parts = checked_texts(request.texts or ()), []
        for first in range(0, len(texts), BLOCK):
            part = request.take(slice(first, first + BLOCK))
            matches = self._searcher.match(texts[first : first + BLOCK], request.threads)
            scores = self._scores(matches, request.threads)
            parts.append(best_labels(permitted(scores, part.allowed, part.forbidden), request.k))
            request.report(min(len(texts), first + BLOCK) / len(texts))
        if not parts:
            return TopK(np.zeros((0, request.k), np.int32), np.zeros((0, request.k), np.float32))
        return TopK(*(np.vstack([getattr(part, name) for part in parts]) for name in ("labels", "scores")))

    def _scores(self, matches: Matches, threads: int) -> CSR:
        scores = matched_labels(matches, self.n_labels_)
        features = candidate_features(matches, self._frequencies, self.relations_)
        scores.data = probabilities(self.trees_.scores(features, threads))
        return scores

    def matches(self, texts: Sequence[str]) -> list[list[NameMatch]]:
        """Where names of labels occur.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts.

        Returns
        -------
        list of list of NameMatch
            The occurrences in each text, in the order of its sentences; a name that labels share occurs once for each.
        """
        check_is_fitted(self)
        return [list(self._matches_in(text)) for text in checked_texts(texts)]

    def _matches_in(self, text: str) -> Iterator[NameMatch]:
        entries = self.entries_
        for one in self._searcher.occurrences(text):
            for at in range(int(entries.label_ptr[one.entry]), int(entries.label_ptr[one.entry + 1])):
                yield NameMatch(
                    label=int(entries.labels[at]),
                    kind=KINDS[int(entries.kinds[at])],
                    begin=one.begin,
                    end=one.end,
                    phrase=one.phrase,
                )

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """The names of the labels that occur: see ``models.base.reasons``."""
        self.check_settings()
        checked = self._checked_request(request)
        return [list(self._reasons(text, labels)) for text in checked_texts(checked.texts or ())]

    def _reasons(self, text: str, labels: Sequence[int]) -> Iterator[NameReason]:
        found, named = self._searcher.match((text,), 1), list(self._matches_in(text))
        features = candidate_features(found, self._frequencies, self.relations_)
        scores = probabilities(self.trees_.scores(features))
        place = {label: at for at, label in enumerate(found.labels.tolist())}
        for label in labels:
            at = place.get(label)
            yield NameReason(
                matches=tuple(one for one in named if one.label == label),
                features={} if at is None else dict(zip(FEATURES, features[at].tolist(), strict=True)),
                score=0.0 if at is None else float(scores[at]),
                ranked=at is not None,
            )

    def size(self) -> Sizes:
        """Sizes of the fitted model; the weights are the leaves of the trees and the tokens of the names."""
        check_is_fitted(self)
        weights = int(np.count_nonzero(self.trees_.features < 0)) + len(self.entries_.entry_tokens)
        return Sizes(features=None, labels=self.n_labels_, weights=weights)

    def __getstate__(self) -> Any:
        return {name: value for name, value in super().__getstate__().items() if name != "_searcher"}

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        if hasattr(self, "entries_"):
            self._set_entries(self.entries_)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        config = {
            "settings": self._plain_settings() | dict.fromkeys(NAMED),
            "n_labels": self.n_labels_,
            "n_documents": self.counts_.n_documents,
            "language": self.language_,
            "baseline": self.trees_.baseline,
        }
        arrays = {f"names/{name}": array for name, array in self.entries_.arrays().items()}
        arrays |= {f"trees/{name}": array for name, array in self.trees_.arrays().items()}
        arrays |= {f"labels/{name}": getattr(self.counts_, name) for name in COUNTS}
        return config, arrays | {"broader": self.relations_.broader, "related": self.relations_.related}

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> LexicalMatcher:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or arrays.
        """
        with damage_reported("the lexical matcher is"):
            model = cls(**config["settings"])
            model.check_settings()
            n_labels = model.n_labels_ = stored_size(config["n_labels"], "n_labels")
            model.language_ = config["language"]
            if model.language_ is not None and model.language_ not in STEMMERS:
                raise InputError(f"the language {model.language_!r} has no stemmer")
            arrays = {"names/gaps": np.zeros(0, np.uint32)} | arrays  # absent in the first models of format 5
            names: Any = {name: arrays[f"names/{name}"] for name in NameEntries.TYPES}
            trees: Any = {name: arrays[f"trees/{name}"] for name in TreeSum.TYPES}
            counts: Any = {name: stored_array(arrays, f"labels/{name}", np.int64, (n_labels,)) for name in COUNTS}
            if (names["kinds"] >= len(KINDS)).any():
                raise InputError("a name has an unknown kind")
            if any(one.min() < 0 for one in counts.values()):
                raise InputError("a label has a negative number of documents")
            n_documents = stored_size(config["n_documents"], "n_documents")
            model._set_counts(LabelCounts(**counts, n_documents=n_documents))
            model.trees_ = TreeSum(**trees, baseline=float(config["baseline"]), n_features=len(FEATURES))
            model.relations_ = _stored_relations(arrays, n_labels)
            model._set_entries(NameEntries(**names, n_labels=n_labels))
        return model


def _stemmer(language: str | None) -> StemWords | None:
    return None if language is None else snowball(language)


def _stored_relations(arrays: dict[str, Any], n_labels: int) -> Relations:
    pairs = {name: stored_array(arrays, name, np.int32, (None, 2)) for name in ("broader", "related")}
    for name, array in pairs.items():
        if array.size and (array.min() < 0 or array.max() >= n_labels):
            raise InputError(f"array {name} contains a label out of range")
    return Relations(**pairs, n_labels=n_labels)
