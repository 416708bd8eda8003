"""Values that a trial of ``annif hyperopt`` chooses -> lines that give a project these values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ramify.annif.parameters import names_of
from ramify.cli.plan import Plan
from ramify.cli.settings import Part, Setting, shown
from ramify.tuning.settings import STATIC, TFIDF
from ramify.tuning.space import NONE, Space, Suggest

PROJECT = "project"
"""Value of a parameter whose setting the search leaves as the project has it; in place of the automatic choice."""

FEATURES = ("words", "characters", "min_df", "sublinear")
"""Parameters of ``Space`` that are settings of ``Tfidf``."""

TREES = "ensemble.trees"
PATHS: Mapping[str, tuple[str, ...]] = {
    "model": (),
    "static": (),
    "cost_ratio": (),
    "cost": ("model.cost_negative", "model.cost_positive"),
    "blend.trees": ("model.trees",),
    "blend.tail_rank": ("model.tail_rank",),
    "xr.trees": (TREES,),
    **{name: (f"vectorizer.{name}",) for name in FEATURES},
}
"""Full paths of the settings of a parameter of ``Space``, if they are not "model." and its name."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a trial chooses.

    Parameters
    ----------
    parts : dict of str to str
        "model" and "vectorizer", if they are not those of the project.
    values : dict of str
        Values by the full paths of their settings, such as "model.loss"; also those that are defaults.
    """

    parts: Mapping[str, str]
    values: Mapping[str, Any]

    def lines(self, given: Mapping[str, Any], plan_of: Callable[[Mapping[str, Any]], Plan]) -> dict[str, str]:
        """The lines that give a project the chosen values, by the names that the project uses, if it has them.

        Parameters
        ----------
        given : mapping of str
            Settings of the project.
        plan_of : callable
            Maps settings of a project to their plan.
        """
        found = dict(self.parts)
        plan = plan_of({**given, **self.parts})
        names = names_of(plan.parts, given)
        for path, value in self.values.items():
            place = _place(plan, path)
            if place is None or not _is_equal(*place, value):
                found[names.get(path, path.removeprefix("model."))] = shown(value)
        return found


def of_values(plan: Plan, values: Mapping[str, list[Any]], suggest: Suggest) -> Choices:
    """Choices among a few values of settings of the model; the project's value is one of them."""
    chosen = {name: suggest(name, _with_own(plan, f"model.{name}", several)) for name, several in values.items()}
    return Choices(parts={}, values={f"model.{name}": value for name, value in chosen.items()})


def of_space(space: Space, plan: Plan, given: Mapping[str, Any], suggest: Suggest) -> Choices:
    """Choices in the space of ``ramify tune``, changed so that the project's values are among them.

    Parameters
    ----------
    space : Space
    plan : Plan
        That of the project.
    given : mapping of str
        Settings of the project.
    suggest : callable
        That of an Optuna trial.
    """
    names, raw = names_of(plan.parts, given), {}
    vectorizer = plan.parts["vectorizer"].kind

    def among(name: str, values: list[Any]) -> Any:
        if name in (STATIC, *FEATURES) and vectorizer != TFIDF:
            return values[0]
        if name == "max_leaf" and isinstance(plan.parts["model"].values.get("indexer"), Part):
            return NONE  # an indexer of the project has its own limit
        several = _candidates(plan, name, values)
        if name == "xr.trees" and any(path.startswith("ensemble.") and path != TREES for path in names):
            several = several[1:]  # other settings of an ensemble need more than one tree
        found = suggest(name, several)
        raw[name] = NONE if found == PROJECT else found
        return raw[name]

    settings = space.suggest(among)
    inside = "vectorizer.first" if settings.static else "vectorizer"
    values = {path: value for name, value in raw.items() if value != NONE for path in _direct(name)}
    values |= {f"model.{name}": value for name, value in settings.model_settings.items()}
    values |= {f"{inside}.{name}": value for name, value in (settings.tfidf or {}).items()}
    parts = {} if settings.model == plan.parts["model"].kind else {"model": settings.model}
    return Choices(parts=parts | ({"vectorizer": f"{TFIDF}+{STATIC}"} if settings.static else {}), values=values)


def _direct(name: str) -> tuple[str, ...]:
    """Paths of the settings that have the value of the parameter as it is."""
    return () if name in ("cost", *FEATURES) else PATHS.get(name, (f"model.{name}",))


def _candidates(plan: Plan, name: str, values: list[Any]) -> list[Any]:
    """The values of a parameter, with that of the project, if it has one, in place of the automatic choice."""
    paths = PATHS.get(name, (f"model.{name}",))
    if NONE not in values:
        return _with_own(plan, paths[0], values) if paths else values
    places = [place for path in paths if (place := _place(plan, path)) is not None]
    is_given = any(part.values[setting.name] != setting.default for part, setting in places)
    return [PROJECT if value == NONE and is_given else value for value in values]


def _with_own(plan: Plan, path: str, values: list[Any]) -> list[Any]:
    """The values, with that of the project if it is another plain one."""
    place = _place(plan, path)
    if place is None or any(_is_equal(*place, value) for value in values):
        return values
    own = place[0].values[place[1].name]
    return [*values, own] if isinstance(own, bool | int | float | str) else values


def _place(plan: Plan, path: str) -> tuple[Part, Setting] | None:
    """The part and the setting of a full path; None if the plan has no such setting."""
    kind, _, inside = path.partition(".")
    return plan.parts[kind].paths().get(inside) if kind in plan.parts else None


def _is_equal(part: Part, setting: Setting, value: Any) -> bool:
    """Whether a setting has a value."""
    now, text = part.values[setting.name], shown(value)
    return bool(now == setting.from_text(text, setting.name)) or shown(now) == text
