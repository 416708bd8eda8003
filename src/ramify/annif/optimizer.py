"""``annif hyperopt``: a search space for the model of the project, measured by Annif on a corpus of its own.

Trees have the space of ``ramify tune``; other models have a few values of their main settings (``SPACES``). A trial
trains the project with the settings of its lines, as ``annif train`` does when they are added to the project or replace
lines of it (``choices``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from annif.backend.hyperopt import HPObjective, HPRecommendation, HyperparameterOptimizer
from annif.exception import NotSupportedException

from ramify.annif.analysis import texts_for
from ramify.annif.choices import of_space, of_values
from ramify.annif.parameters import OF_ANNIF, OWN
from ramify.annif.subjects import SubjectIds
from ramify.tuning.settings import MODELS
from ramify.tuning.space import Space
from ramify.values import Dataset

if TYPE_CHECKING:
    from annif.corpus.types import DocumentCorpus
    from optuna import Trial
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from ramify.annif.backend import RamifyBackend
    from ramify.cli.plan import Plan
    from ramify.tagger import Tagger

SPACES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "lexical": {
        "derive": ["yes", "no"],
        "documents": [3000, 1000, 10000],
        "most_labels": [50, 10, 200],
        "ranking_trees": [100, 50, 200],
    },
    "nearest-instances": {"neighbours": [30, 10, 100], "power": [3.0, 1.0, 2.0, 5.0]},
    "nearest-texts": {
        "neighbours": [30, 10, 100],
        "power": [3.0, 1.0, 5.0],
        "label_share": [0.5, 0.25, 0.75, 1.0],
        "name_share": [0.5, 0.25, 0.75],
    },
}
"""Values of settings by model; the first ones are the defaults."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a trial needs.

    Parameters
    ----------
    backend : RamifyBackend
    training : Dataset
        Documents that each trial trains on, as the model gets them.
    texts : sequence of str
        Texts of the corpus, as the model gets them.
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

    def changes(self, trial: Trial | FrozenTrial) -> dict[str, str]:
        """The settings of a trial that are not those of the project, as lines that are added or replace others."""
        given = {name: value for name, value in self.backend.params.items() if name not in (*OF_ANNIF, *OWN)}
        plan = self._plan(given)
        model = plan.parts["model"].kind

        def suggest(name: str, values: list[Any]) -> Any:
            return trial.suggest_categorical(name, values)

        if model in SPACES:
            found = of_values(plan, {name: list(values) for name, values in SPACES[model].items()}, suggest)
        else:
            found = of_space(self._space(given, model), plan, given, suggest)
        return found.lines(given, self._plan)

    def _plan(self, given: Mapping[str, Any]) -> Plan:
        return self.backend.parameters(given).plan

    def _space(self, given: Mapping[str, Any], model: str) -> Space:
        """The space of the project's model, or of all models if only settings of the vectorizer are given."""
        inside = {name for name in given if name.startswith("vectorizer.")}
        space = Space.of(self.training, model=model if given.keys() - inside - {"vectorizer"} else None)
        # Settings of tf-idf have other paths in a combination with static vectors.
        return replace(space, static=False) if inside or "config" in given else space

    def tagger(self, trial: Trial) -> Tagger:
        """The unfitted tagger of a trial."""
        given = {**self.backend.params, **self.changes(trial)}
        return self.backend.unfitted(self.backend.parameters(given, self.threads))

    def value(self, trial: Trial) -> float:
        """The measure of a trial."""
        from annif.eval import EvaluationBatch

        backend = self.backend
        tagger = self.tagger(trial).fit_dataset(self.training)
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
        tagger = backend.unfitted(backend.parameters(backend.params))
        documents = list(self._corpus.documents)
        return Search(
            backend=backend,
            training=backend.dataset_for(tagger),
            texts=texts_for(tagger, [document.text for document in documents], backend.prepared),
            truth=[document.subject_set for document in documents],
            metric=self._metric,
            threads=None if n_jobs == 1 else 1,
        )

    def _postprocess(self, study: Study) -> HPRecommendation:
        search: Search = self._objective.args
        changes = search.changes(study.best_trial) or {"model": _model_of(self._backend)}
        lines = [f"{name}={value}" for name, value in changes.items()]
        return HPRecommendation(lines=lines, score=study.best_value)


def optimizer(backend: RamifyBackend, corpus: DocumentCorpus, metric: str) -> Optimizer:
    """The optimizer of a back end for a corpus and a measure.

    Raises
    ------
    NotSupportedException
        A model without a search space.
    """
    model = _model_of(backend)
    if model not in (*MODELS, *SPACES):
        known = ", ".join((*MODELS, *SPACES))
        raise NotSupportedException(
            f"hyperopt has no search space for the model {model}: choose one of {known}, or set values by hand",
            backend_id=backend.backend_id,
        )
    return Optimizer(backend, corpus, metric, Objective)


def _model_of(backend: RamifyBackend) -> str:
    """Name of the model of the project."""
    return backend.parameters(backend.params).plan.parts["model"].kind
