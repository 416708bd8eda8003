"""``annif hyperopt``: the search space of ``ramify tune``, measured by Annif on a corpus of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annif.backend.hyperopt import HPObjective, HPRecommendation, HyperparameterOptimizer

from ramify.annif.subjects import SubjectIds
from ramify.tuning.settings import MODELS, Settings
from ramify.tuning.space import Space
from ramify.values import Dataset

if TYPE_CHECKING:
    from annif.corpus.types import DocumentCorpus
    from optuna import Trial
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from ramify.annif.backend import RamifyBackend


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a trial needs.

    Parameters
    ----------
    backend : RamifyBackend
    training : Dataset
        Documents that each trial trains on.
    texts : sequence of str
        Prepared texts of the corpus.
    truth : sequence of annif SubjectSet
        Their subjects.
    metric : str
        Name of a measure of Annif.
    threads : int or None
        Of each trial.
    """

    backend: RamifyBackend
    training: Dataset
    texts: Sequence[str]
    truth: Sequence[Any]
    metric: str
    threads: int | None

    def settings(self, trial: Trial | FrozenTrial) -> Settings:
        """The settings of a trial."""
        model = str(self.backend.params.get("model", ""))
        space = Space.of(self.training, model=model if model in MODELS else None)
        return space.suggest(trial.suggest_categorical)

    def value(self, trial: Trial) -> float:
        """The measure of a trial."""
        from annif.eval import EvaluationBatch

        backend = self.backend
        tagger = self.settings(trial).tagger(threads=self.threads).fit_dataset(self.training)
        ids = SubjectIds.of(tagger, backend.project.subjects)
        found = backend.suggestions(tagger, ids, self.texts, int(backend.params["limit"]))
        batch = EvaluationBatch(backend.project.subjects)
        batch.evaluate_many(found, self.truth)
        return float(batch.results(metrics=[self.metric])[self.metric])


class Objective(HPObjective):  # type: ignore[misc]
    """One trial, in a thread or process of Annif."""

    @classmethod
    def objective(cls, trial: Trial, args: Search) -> float:
        """See ``annif.backend.hyperopt.HPObjective``."""
        return args.value(trial)


class Optimizer(HyperparameterOptimizer):  # type: ignore[misc]
    """The optimizer of the back end."""

    def _prepare(self, n_jobs: int = 1) -> Search:
        backend: RamifyBackend = self._backend
        documents = list(self._corpus.documents)
        return Search(
            backend=backend,
            training=backend.training_documents(),
            texts=[backend.prepared(document.text) for document in documents],
            truth=[document.subject_set for document in documents],
            metric=self._metric,
            threads=None if n_jobs == 1 else 1,
        )

    def _postprocess(self, study: Study) -> HPRecommendation:
        search: Search = self._objective.args
        best = search.settings(study.best_trial)
        return HPRecommendation(lines=_lines(best), score=study.best_value)


def optimizer(backend: RamifyBackend, corpus: DocumentCorpus, metric: str) -> Optimizer:
    """The optimizer of a back end for a corpus and a measure."""
    return Optimizer(backend, corpus, metric, Objective)


def _lines(settings: Settings) -> list[str]:
    """Settings as lines of a project."""
    return [f"{name}={_text(value)}" for name, value in settings.changes().items()] or ["preset=default"]


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value)
