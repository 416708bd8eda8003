"""Prediction with a fitted tagger: texts to features, features to ranked labels, label ids to names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.checks import COUNT, whole_number
from ramify.errors import InputError
from ramify.exchange import Request, Single, Sizes
from ramify.features.columns import Columns
from ramify.models.base.adapter import as_model
from ramify.protocols import Model
from ramify.tagger.given_labels import name_lists
from ramify.tagger.instances import empty_instances, listed, without_empty
from ramify.tagger.named_labels import NamedLabels
from ramify.tagger.parts import features_for
from ramify.tagger.vocabulary import NAME, answers_of
from ramify.values import CSR, Bool, Int64, StageProgress, TopK, Vocabulary, as_csr, as_features
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.tagger.decide.decisions import Decisions
    from ramify.tagger.explain.explanation import Explanation
    from ramify.tagger.proposing import Proposals

Tags = list[tuple[str, float]]
Self = TypeVar("Self", bound="FittedTagger")

DEFAULT_RULE = "micro-f1"
"""The rule for the label sets of a calibrated tagger, where none is given."""

MOST_KEPT = 32
"""Calls for single texts that a tagger keeps, one for each k."""


class FittedTagger(NamedLabels, BaseEstimator):  # type: ignore[misc]
    """Base class for prediction with the fitted attributes of a tagger (see ``Tagger``)."""

    model_: Any
    vectorizer_: Any
    label_names_: Sequence[str]
    label_keys_: Sequence[str] | None
    label_counts_: Int64 | None
    n_documents_: int
    columns_: Columns | None
    takes_texts_: bool
    fields_: dict[str, str]
    label_form_: str
    decisions_: Decisions | None
    vocabulary_: Vocabulary | None
    _kept: dict[str, Any]  # made when needed, for the present results of fit: calls for single texts by k, label ids

    def _set_fitted(self, **fitted: Any) -> None:
        """Set all fitted attributes at once, so that a failed fit does not change the tagger."""
        fresh: dict[str, Any] = {"label_keys_": None, "fields_": {}, "label_form_": "names", "decisions_": None}
        fresh["vocabulary_"] = None
        self.__dict__.update(fresh | fitted | {"_kept": {}})

    def _snapshot(self: Self) -> Self:
        """The tagger with its present results, which a ``fit`` in another thread leaves as they are."""
        tagger = object.__new__(type(self))
        tagger.__dict__.update(self.__dict__)
        return tagger

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return state | {"_kept": {}} if "_kept" in state else state

    def tag(
        self,
        texts: Sequence[str],
        k: int = 5,
        *,
        allowed: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
        beam: int | None = None,
        threads: int | None = None,
        answer: str = NAME,
        language: str | None = None,
    ) -> list[Tags]:
        """The k best labels of each text.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts, or features if the tagger was fitted on features. A text without known features gets no label.
        k : int, default 5
            Maximum number of labels per text.
        allowed, forbidden : names of labels, optional
            The only labels that may be predicted, and labels that must not be predicted.
        beam : int, optional
            Nodes kept per level of the tree; the model's setting when None.
        threads : int, optional
            Number of threads of the model; its setting when None. The vectorizer uses its own setting.
        answer : {"name", "uri", "notation"}, default "name"
            What stands for a label (see ``answers``).
        language : str, optional
            Language code of the names; that of training when None.

        Returns
        -------
        list of list of (name, score)
            Labels with scores, best first; the result for a text does not depend on the other texts.

        Raises
        ------
        InputError
            A single string instead of a list, an unknown label name, k out of range.
        """
        check_is_fitted(self)
        now = self._snapshot()
        k = now._checked_k(k)
        names = answers_of(now.label_names_, now.label_keys_, now.vocabulary_, answer, language)
        if now.takes_texts_:
            texts = listed(texts)
            if not texts:
                return []
            plain = allowed is None and forbidden is None and beam is None
            call = now._single_call(k) if plain and len(texts) == 1 else None
            if call is not None:
                return [now._tag_one(texts[0], call, names)]
        top = now.predict_topk(texts, k, allowed=allowed, forbidden=forbidden, beam=beam, threads=threads)
        return [[(names[label], score) for label, score in row] for row in top.rows()]

    def _single_call(self, k: int) -> Single | None:
        """The model's call for single instances, kept; None where vectorizer or model have no way for single texts."""
        kept: tuple[Any, Single | None] = self._kept.get(f"single {k}", (None, None))
        model, call = kept
        if model is not self.model_:
            adapted = self._adapted_model()
            fits = adapted.needs == {"X"} and hasattr(self.vectorizer_, "transform_one")
            call = adapted.single(k) if fits else None
            if len(self._kept) > MOST_KEPT:
                self._kept.clear()
            self._kept[f"single {k}"] = (self.model_, call)
        return call

    def _tag_one(self, text: str, call: Single, names: Sequence[str]) -> Tags:
        indices, values = self.vectorizer_.transform_one(text)
        if self.columns_ is not None:
            indices, values = self.columns_.select_one(indices, values)
        if len(indices) == 0:
            return []
        labels, scores = call(indices, values)
        return [(names[i], s) for i, s in zip(labels[0].tolist(), scores[0].tolist(), strict=True) if i >= 0]

    def _adapted_model(self) -> Model:
        """The model as ``protocols.Model``."""
        width = None if self.columns_ is None else self.columns_.n_kept
        return as_model(self.model_, Sizes(features=width, labels=len(self.label_names_)))

    def predict(self, texts: Any, *, rule: str | None = None) -> Any:
        """The predicted labels of each text, in the form of the labels in ``fit``.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts, or features if the tagger was fitted on features.
        rule : str, optional
            Name of a rule for label sets (see ``decide``). When None: "micro-f1" of a calibrated tagger; else labels
            with a score of at least 0.5, of a model without ``predict`` among the 20 best.

        Returns
        -------
        object array of shape (n,), or csr_matrix of shape (n, L)
            Lists of names, or a 0/1 matrix.

        Raises
        ------
        InputError
            A rule without a calibration, or as in ``decide``.
        """
        check_is_fitted(self)
        now = self._snapshot()
        if rule is not None or now.decisions_ is not None:
            Y = now._decided(texts, DEFAULT_RULE if rule is None else rule)
        else:
            Y = now._sure(texts)
        return Y if now.label_form_ == "matrix" else name_lists(Y, now.label_names_)

    def _decided(self, texts: Any, name: str) -> CSR:
        """The sets of a rule, shape (n, L)."""
        decisions = self.decisions_or_error()
        rule = decisions.rule(name)
        top = self._undecided(texts, decisions.k)
        return rule.sets(top, decisions.calibration.probabilities(top), len(self.label_names_))

    def _undecided(self, texts: Any, k: int, threads: int | None = None) -> TopK:
        """The labels among which a rule chooses; of no texts, no rows, which ``predict_topk`` refuses."""
        instances: Any = listed(texts) if self.takes_texts_ else as_features(texts)
        if (len(instances) if self.takes_texts_ else instances.shape[0]) == 0:
            return TopK(np.zeros((0, k), np.int32), np.zeros((0, k), np.float32))
        return self.predict_topk(instances, k, threads=threads)

    def _sure(self, texts: Any) -> CSR:
        """The sets of the model itself, shape (n, L)."""
        request, empty = self._request(texts)
        if len(request) == 0:
            return as_csr(np.zeros((0, len(self.label_names_)), np.float32))
        return as_csr(as_csr(self._adapted_model().decide(request)).multiply(~empty[:, None]))

    def _request(self, texts: Any) -> tuple[Request, Bool]:
        """The request to the model, and a mask of the instances without known features or text, shape (n,)."""
        needs = self._adapted_model().needs
        texts = listed(texts) if self.takes_texts_ else texts
        X = None if self.takes_texts_ and "X" not in needs else self.features(texts)
        kept = texts if self.takes_texts_ and "texts" in needs else None
        request = Request(X=X, texts=kept)
        return request, empty_instances(request)

    def predict_topk(
        self,
        texts: Any,
        k: int | None = None,
        *,
        allowed: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
        beam: int | None = None,
        threads: int | None = None,
        progress: StageProgress | None = None,
    ) -> TopK:
        """Like ``tag``, but with label ids: a TopK of shape (n, min(k, L)), for evaluation.

        Parameters
        ----------
        texts, k, allowed, forbidden
            As in ``tag``; the model's default of k when None.
        beam : int, optional
            Nodes kept per level of the tree; the model's setting when None.
        threads : int, optional
            Number of threads; the model's setting when None.
        progress : callable, optional
            Called with ("predict", share done).
        """
        check_is_fitted(self)
        now = self._snapshot()
        request, empty = now._request(texts)
        asked = replace(
            request,
            k=k if k is None else now._checked_k(k),
            beam=beam,
            allowed=None if allowed is None else now.label_ids(allowed),
            forbidden=None if forbidden is None else now.label_ids(forbidden),
            threads=threads,
            progress=progress,
        )
        return without_empty(now._adapted_model().answer(asked), empty)

    def decide(self, texts: Any, rule: str | None = DEFAULT_RULE, *, threads: int | None = None) -> list[Tags]:
        """The label set of each text, with the probability of each label; needs :meth:`Tagger.calibrate`.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts, or features if the tagger was fitted on features.
        rule : str or None, default "micro-f1"
            Name of a rule (``tagger.decide.fitting``), such as "example-f1", "count", "precision=0.9" or
            "coverage=0.8"; None: all labels that are predicted, whatever their probability.
        threads : int, optional
            Number of threads of the model; its setting when None.

        Returns
        -------
        list of list of (name, probability)
            Most probable first.

        Raises
        ------
        InputError
            A tagger that is not calibrated, an unknown rule, or a wanted share that no threshold reaches.
        """
        now = self._snapshot()
        decisions = now.decisions_or_error()
        if rule is not None:
            decisions.rule(rule)  # an unknown one is refused before the prediction
        top = decisions.decided(now._undecided(texts, decisions.k, threads), rule)
        return [[(now.label_names_[label], p) for label, p in row] for row in top.rows()]

    def explain(
        self,
        text: Any,
        label: str | Iterable[str] | None = None,
        *,
        k: int = 5,
        occlusion: bool | None = None,
        allowed: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
        beam: int | None = None,
        threads: int | None = None,
    ) -> Explanation:
        """Why a label is predicted for a text: contributions of words and features, and the computation of the score.

        Parameters
        ----------
        text : str
            One text, or a matrix of one row if the tagger was fitted on features.
        label : str or sequence of str, optional
            Names of the labels to explain; the best label when None.
        k, allowed, forbidden, beam, threads
            Of the prediction that is explained, as in ``tag``.
        occlusion : bool, optional
            Whether words are left out to divide the dense block, or the score of a model without dense features, among
            words; the explanation has the error of this attribution. None: only for a model without linear classifiers
            and votes. It takes about four predictions per word, at most 256.

        Raises
        ------
        InputError
            An unknown label, a label without a training document, a text without a predicted label, or a model without
            reasons.
        """
        from ramify.tagger.explain.explaining import Asked, explain

        check_is_fitted(self)
        now = self._snapshot()
        asked = Asked(
            k=now._checked_k(k),
            beam=beam,
            allowed=None if allowed is None else now.label_ids(allowed),
            forbidden=None if forbidden is None else now.label_ids(forbidden),
            threads=threads,
            occlusion=occlusion,
        )
        return explain(now, text, label, asked)

    def proposals(
        self, texts: Sequence[str], *, beam: int | None = None, threads: int | None = None
    ) -> list[Proposals]:
        """The labels and the names of new labels that a generating model, such as ``XLGen``, writes for each text.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts, or features if the tagger was fitted on features. Nothing is written for an empty text.
        beam : int, optional
            Sequences per text, whose labels are merged; the model's setting when None.
        threads : int, optional
            Number of threads of the model; its setting when None.

        Returns
        -------
        list of Proposals
            One per text; an empty list for an empty list.

        Raises
        ------
        InputError
            A model without the ability "proposals", a single string instead of a list, or a beam out of range.
        """
        from ramify.tagger.proposing import proposals

        check_is_fitted(self)
        return proposals(self._snapshot(), texts, beam, threads)

    def decisions_or_error(self) -> Decisions:
        """Calibration and rules; InputError before ``calibrate``."""
        check_is_fitted(self)
        if self.decisions_ is None:
            raise InputError(
                "the model is not calibrated: run ramify calibrate, or call Tagger.calibrate, with documents that it "
                "was not trained on"
            )
        return self.decisions_

    def check_beam(self, beam: Any) -> None:
        """Raise InputError if the model has no beam search, or the beam is out of range."""
        if "beam" not in self._adapted_model().abilities:
            raise InputError(f"beam is {quoted(beam)}, but the model has no beam search: leave it out")
        COUNT.check("beam", beam)

    def _checked_k(self, k: Any) -> int:
        return min(whole_number("k", k, 1, 2**31 - 1), len(self.label_names_))

    def features(self, texts: Any) -> Any:
        """Features of texts as the model uses them, shape (n, d); takes features if the tagger was fitted on them."""
        check_is_fitted(self)
        if self.takes_texts_:
            X = features_for(self._adapted_model(), self.vectorizer_.transform(listed(texts)))
        else:
            X = as_features(texts)
        return X if self.columns_ is None else self.columns_.select(X)
