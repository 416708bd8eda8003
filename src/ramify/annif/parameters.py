"""Settings of a project of Annif -> the settings of ``ramify train``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ramify import catalogue
from ramify.cli.plan import Plan, Start, own_flags
from ramify.cli.settings import NONE
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
        parts = start.parts()
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


def _of_language(parts: Mapping[str, Part], given: Mapping[str, str], project: str, *, analyzed: bool) -> list[str]:
    """Settings of the vectorizer and of the model that follow from the project, unless they are given.

    The language is that of a given setting ``language``, or else that of the project.
    """
    own = [text for name, text in given.items() if _last(name) == LANGUAGE]
    language = own[0] if own else project
    usable = bool(own) or language in CODES
    return [
        *_of_vectorizer(parts["vectorizer"], given, language if usable else None, analyzed=analyzed),
        *(_of_model(parts["model"], given, language) if usable else []),
    ]


def _of_vectorizer(part: Part, given: Iterable[str], language: str | None, *, analyzed: bool) -> list[str]:
    prefix = "vectorizer."
    while "first" in part.values:
        part, prefix = part.values["first"], f"{prefix}first."
    wanted: dict[str, str] = {} if language is None else {LANGUAGE: language}
    if analyzed:
        wanted = {"stemmer": NONE, LANGUAGE: NONE}
    names = {_last(name) for name in given}
    return [f"{prefix}{name}={text}" for name, text in wanted.items() if name in part.settings and name not in names]


def _of_model(part: Part, given: Mapping[str, str], language: str) -> list[str]:
    """The language of a model that makes words itself, and of the members of a fusion that do."""
    if LANGUAGE in part.settings and not {f"model.{LANGUAGE}"} & given.keys():
        return [f"{LANGUAGE}={language}"]
    if MEMBERS not in part.settings or not isinstance(part.values[MEMBERS], str | None):
        return []
    listed = given.get(MEMBERS) or part.values[MEMBERS]
    if listed is None:
        return []
    kinds = catalogue.named(catalogue.MODEL)
    members = [one.strip() for one in listed.split(",")]
    added = [
        f"{one}:{LANGUAGE}={language}"
        if (kind := kinds.get(one.partition(":")[0])) is not None
        and LANGUAGE in kind.load().RULES
        and f":{LANGUAGE}=" not in one
        else one
        for one in members
    ]
    return [] if added == members else [f"{MEMBERS}={','.join(added)}"]


def _last(path: str) -> str:
    return path.rpartition(".")[2]
