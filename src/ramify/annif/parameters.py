"""Settings of a project of Annif -> the settings of ``ramify train``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ramify import catalogue
from ramify.cli.plan import Plan, Start, own_flags
from ramify.cli.settings import NONE, shown
from ramify.errors import InputError
from ramify.features.languages import CODES
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.cli.settings import Part

OF_ANNIF = frozenset(
    {"name", "language", "backend", "analyzer", "vocab", "transform", "access", "limit", "allow_learn"}
)
"""Settings of a project that Annif itself reads."""

NAMED = ("model", "preset", "vectorizer", "config")
"""Settings that name the model and what its other settings begin with."""

LANGUAGE, MEMBERS = "language", "members"

OWN = ("seed", "calibrate", "reasons")
"""Settings of the back end."""
YES, NO = ("yes", "true", "1", "on"), ("no", "false", "0", "off", "")


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a project asks for.

    Parameters
    ----------
    plan : Plan
        The model with its settings.
    calibrate : bool
        Whether scores are probabilities, fitted by cross-fitting.
    """

    plan: Plan
    calibrate: bool

    @classmethod
    def of(cls, given: Mapping[str, Any], *, language: str, analyzed: bool, threads: int | None) -> Parameters:
        """The parameters of a project.

        Parameters
        ----------
        given : mapping of str
            All settings of the project; those of Annif itself are passed over.
        language : str
            Code of the project's language.
        analyzed : bool
            Whether the vectorizer gets tokens of Annif's analyzer, which must not be stemmed a second time.
        threads : int or None
            None: all CPUs.

        Raises
        ------
        InputError
            An unknown setting, or a value that breaks its rule; the names are those of ``ramify train``.
        """
        try:
            return cls._of(given, language, analyzed, threads)
        except InputError as error:  # the sentences name flags of the command line
            raise InputError(str(error).replace("--set ", "").replace("--", "")) from None

    @classmethod
    def _of(cls, given: Mapping[str, Any], language: str, analyzed: bool, threads: int | None) -> Parameters:
        texts = {name: _text(value) for name, value in given.items() if name not in OF_ANNIF}
        named = {name: texts.pop(name) for name in NAMED if name in texts}
        start = Start.of(**named)
        seed, calibrate = _seed(texts.pop("seed", None)), is_yes("calibrate", texts.pop("calibrate", NO[0]))
        texts.pop("reasons", None)
        parts = Plan.of(start, {}).parts  # with the settings file
        known = own_flags(parts)
        sets = _of_language(parts, texts, language, analyzed=analyzed)
        texts = {name: text for name, text in texts.items() if not any(one.startswith(f"{name}=") for one in sets)}
        flags = {name: text for name, text in texts.items() if name in known}
        sets += [f"{name}={text}" for name, text in texts.items() if name not in known]
        return cls(plan=Plan.of(start, flags, sets, seed=seed, threads=threads), calibrate=calibrate)


def is_yes(name: str, value: Any) -> bool:
    """Whether a setting is "yes" (also true, 1, on) or "no" (also false, 0, off).

    Raises
    ------
    InputError
        Another value.
    """
    text = str(value).strip().lower()
    if text not in YES + NO:
        raise InputError(f"{name} is {quoted(value)}, but must be yes or no")
    return text in YES


def _text(value: Any) -> str:
    """A value of a configuration file as text: those of TOML files have types."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    return ",".join(map(str, value))


def _seed(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        raise InputError(f"seed is {quoted(text)}, but must be a whole number from 0")
    return int(text)


def names_of(parts: Mapping[str, Part], given: Iterable[str]) -> dict[str, str]:
    """The names of given settings by their full paths, such as "model.loss"; those of ``NAMED`` are left out."""
    own = own_flags(parts)
    found = {}
    for name in given:
        if name in NAMED:
            continue
        path = own[name][1] if name in own else name.replace("-", "_")
        inside, dot, _ = path.partition(".")
        found[path if dot and inside in parts else f"model.{path}"] = name
    return found


def _of_language(parts: Mapping[str, Part], given: Mapping[str, str], project: str, *, analyzed: bool) -> list[str]:
    """Settings of the vectorizer and of the model that follow from the project, unless they are given.

    The language is that of the vectorizer if one is given, in the project or in the settings file, or else that of the
    project. A value of a settings file counts as given if it is not the default, since files of ``--show-config`` have
    all values.
    """
    names = names_of(parts, given)
    part, prefix = parts["vectorizer"], "vectorizer."
    while "first" in part.values:
        part, prefix = part.values["first"], f"{prefix}first."
    own = given[names[prefix + LANGUAGE]] if prefix + LANGUAGE in names else _chosen(part, LANGUAGE)
    language = project if own is None else own
    usable = own is not None or language in CODES
    wanted: dict[str, str] = {LANGUAGE: language} if usable else {}
    if analyzed:
        wanted = {"stemmer": NONE, LANGUAGE: NONE}
    sets = [
        f"{prefix}{name}={text}"
        for name, text in wanted.items()
        if name in part.settings and prefix + name not in names and _chosen(part, name) is None
    ]
    return [*sets, *(_of_model(parts["model"], given, names, language) if usable else [])]


def _chosen(part: Part, name: str) -> str | None:
    """The value of a setting as text if it is not the default."""
    if name not in part.settings or part.values[name] == part.settings[name].default:
        return None
    return shown(part.values[name])


def _of_model(part: Part, given: Mapping[str, str], names: Mapping[str, str], language: str) -> list[str]:
    """The language of a model that makes words itself, and of the members of a fusion that do."""
    if LANGUAGE in part.settings:
        chosen = f"model.{LANGUAGE}" in names or _chosen(part, LANGUAGE) is not None
        return [] if chosen else [f"model.{LANGUAGE}={language}"]
    if MEMBERS not in part.settings or not isinstance(part.values[MEMBERS], str | None):
        return []
    name = names.get(f"model.{MEMBERS}", MEMBERS)
    listed = given.get(name) or part.values[MEMBERS]
    if listed is None:
        return []
    members = [one.strip() for one in listed.split(",")]
    added = [_with_language(one, language) for one in members]
    return [] if added == members else [f"{name}={','.join(added)}"]


def _with_language(member: str, language: str) -> str:
    kind = catalogue.named(catalogue.MODEL).get(member.partition(":")[0])
    if kind is None or LANGUAGE not in kind.load().RULES or f":{LANGUAGE}=" in member:
        return member
    return f"{member}:{LANGUAGE}={language}"
