"""Members of an ensemble or a fusion: clones that differ in their seed, members given by name, consistency checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ramify import catalogue
from ramify.checks import Whole, check_inside, whole_number
from ramify.errors import InputError
from ramify.models.base.adapter import is_model, set_known, settings_of, unfitted
from ramify.models.presets import PRESETS, TFIDF
from ramify.wording import nearest_name, quoted

TREES = Whole(1, 1000)


def clones_by_seed(model: Any, trees: int) -> list[Any]:
    """Unfitted copies with the seeds seed, seed + 1, ...; one copy of a model without a seed.

    Raises
    ------
    InputError
        The argument is not a model.
    """
    check_model(model)
    settings = settings_of(model)
    if "seed" not in settings:
        return [unfitted(model)]
    seed, first = tree_seeds(settings["seed"], trees), unfitted(model)
    shared = {"representation": settings_of(first).get("representation")}  # so that label vectors are computed once
    return [first, *(set_known(unfitted(model), seed=seed + step, **shared) for step in range(1, trees))]


def tree_seeds(seed: Any, trees: int) -> int:
    """The checked first of ``trees`` consecutive seeds; InputError if the last one is too large."""
    return whole_number("seed", seed, 0, 2**32 - trees)


def check_model(model: Any) -> None:
    """Raise InputError unless an object is an unfitted model."""
    if not is_model(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else quoted(model)
        raise InputError(
            f"models contains {what}, but must contain objects with fit and predict_topk, such as XRLinear()"
        )
    check_inside(model)


def check_log_scores(model: Any) -> None:
    """Raise InputError for log scores: in an average, the 0 of an unranked label would be the maximum."""
    transform = getattr(model, "score_transform", None)  # at each answer: ``get_params`` takes 0.2 ms
    if isinstance(transform, str) and transform.startswith("log-"):
        raise InputError(f"combine is 'average', but a member's score_transform is {transform!r}: combine by 'sigmoid'")


def check_agreement(sizes: Sequence[tuple[int | None, int]]) -> None:
    """Raise InputError if fitted members have different numbers of features or labels.

    Parameters
    ----------
    sizes : sequence of (int or None, int)
        Features and labels of each member: None for a member that uses no features, 0 for unknown labels.
    """
    for place, what in enumerate(("features", "labels")):
        known = [(number, size[place]) for number, size in enumerate(sizes) if size[place]]
        for number, count in known[1:]:
            if count != known[0][1]:
                raise InputError(
                    f"member {number} has {count} {what}, but member {known[0][0]} has {known[0][1]}: "
                    "train all members on the same data"
                )


def listed_members(given: Any) -> list[Any]:
    """The members of a fusion as a list of names with settings, and of estimators.

    Raises
    ------
    InputError
        No member, an unknown name or setting, or an object that is not a model.
    """
    members = (
        given.split(",") if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else [given]
    )
    if not members:
        raise InputError("members is empty, but a fusion needs at least one: give names or estimators")
    members = [member.strip() if isinstance(member, str) else member for member in members]
    for member in members:
        if isinstance(member, str):
            _settings_of_name(member)
        else:
            check_model(member)
    return members


def made_member(text: str, **general: Any) -> Any:
    """The unfitted model of a name with settings, as "nearest-texts:label_share=1".

    Parameters
    ----------
    text : str
        A name of the catalogue or of a preset, and settings.
    general
        ``seed`` and ``threads``.
    """
    name, settings = _settings_of_name(text)
    if name in PRESETS:
        model = PRESETS[name].build(**general)
    else:
        entry = _kinds()[name]
        entry.check_installed()
        model = set_known(entry.load()(), **general)
    return model.set_params(**settings) if settings else model


def member_names(members: Sequence[Any]) -> list[str]:
    """A different name for each member: the given one without settings, or that of its class."""
    found: list[str] = []
    for one in members:
        name = one.partition(":")[0] if isinstance(one, str) else str(getattr(one, "name", None) or type(one).__name__)
        alike = sum(other == name or other.startswith(f"{name} ") for other in found)
        found.append(name if alike == 0 else f"{name} {alike + 1}")
    return found


def _kinds() -> dict[str, catalogue.Entry]:
    """Models and matchers by name."""
    return catalogue.named(catalogue.MATCHER) | catalogue.named(catalogue.MODEL)


def _settings_of_name(text: str) -> tuple[str, dict[str, Any]]:
    name, *pairs = text.split(":")
    _check_name(name)
    kind = catalogue.find(catalogue.MODEL, PRESETS[name].model, "model") if name in PRESETS else _kinds()[name]
    rules = kind.load().RULES if pairs else {}
    settings = {}
    for pair in pairs:
        setting, equals, value = pair.partition("=")
        setting = setting.replace("-", "_")
        if not equals or setting not in rules:
            raise InputError(
                f"members contains {quoted(text)}, but {name} has no setting {quoted(setting)}: see ramify settings"
            )
        rule = rules[setting]
        try:
            settings[setting] = None if rule.optional and value == "none" else rule.from_text(value)
        except ValueError:
            raise InputError(f"{setting} of the member {name} is {quoted(value)}, but must be {rule.spelled}") from None
        rule.check(f"{setting} of the member {name}", settings[setting])
    return name, settings


def _check_name(name: str) -> None:
    own = [preset for preset, chosen in PRESETS.items() if chosen.vectorizer == TFIDF and chosen.model != "fusion"]
    if name in PRESETS and name not in own:
        raise InputError(f"the member {name} is a preset that is no single model on tf-idf: name its models instead")
    known = [*own, *_kinds()]
    if name not in known:
        near = nearest_name(name, known)
        hint = "ramify settings lists them" if near is None else f"did you mean {near!r}?"
        presets = ", ".join(own)
        raise InputError(
            f"members contains {quoted(name)}, but must contain names of models or of the presets {presets}: {hint}"
        )
