"""``Vocabulary``: the concepts of a controlled vocabulary, with names in several languages, and their relations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, overload

import numpy as np

from ramify.errors import InputError
from ramify.values.types import Bool, Int32, Int64
from ramify.wording import quoted

ANY_LANGUAGE = ""
"""Key of names without a language."""


class Groups(Sequence[tuple[str, ...]]):
    """A tuple of strings per concept, in one sequence.

    Parameters
    ----------
    strings : sequence of str, length m
        The strings of concept 0, of concept 1, and so on.
    offsets : int64 array, shape (L + 1,)
        Those of concept i are ``strings[offsets[i]:offsets[i + 1]]``.

    Raises
    ------
    InputError
        Offsets that do not ascend from 0 to m.
    """

    def __init__(self, strings: Sequence[str], offsets: Int64) -> None:
        ascending = len(offsets) and offsets[0] == 0 and (offsets[1:] >= offsets[:-1]).all()
        if not ascending or offsets[-1] != len(strings):
            raise InputError(f"offsets of names must ascend from 0 to {len(strings)}, the number of names")
        self.strings = strings
        self.offsets = offsets

    @classmethod
    def of(cls, groups: Iterable[Iterable[str]]) -> Groups:
        """Pack one iterable of strings per concept."""
        strings: list[str] = []
        ends = [0]
        for group in groups:
            strings.extend(group)
            ends.append(len(strings))
        return cls(strings, np.array(ends, np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[str, ...]]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, ...] | list[tuple[str, ...]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return tuple(self.strings[self.offsets[index] : self.offsets[index + 1]])


def no_relations() -> Int32:
    """Relations between no concepts, shape (0, 2)."""
    return np.zeros((0, 2), np.int32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Vocabulary:
    """Concepts with identifiers, names and relations, as in a thesaurus (SKOS).

    Parameters
    ----------
    uris : sequence of str, length L
        Identifier of each concept, all different.
    names : mapping of str to sequence of str, length L
        The preferred name of each concept by language code, such as "en"; "" where it has none. The code "" has names
        without a language.
    alternatives : mapping of str to Groups, length L, optional
        Alternative names of each concept by language code.
    notations : sequence of str, length L, optional
        A notation, such as a class number, of each concept, all different; "" where it has none.
    broader : int32 array, shape (m, 2), optional
        (concept, a broader concept) by their numbers.
    related : int32 array, shape (m, 2), optional
        Pairs of related concepts.
    deprecated : bool array, shape (L,), optional
        Concepts that should no longer be used.

    Raises
    ------
    InputError
        No concepts; different lengths; a URI or a notation that is repeated, or an empty URI; relations of concepts
        that do not exist.
    """

    uris: Sequence[str]
    names: Mapping[str, Sequence[str]]
    alternatives: Mapping[str, Groups] = field(default_factory=lambda: MappingProxyType({}))
    notations: Sequence[str] | None = None
    broader: Int32 = field(default_factory=no_relations)
    related: Int32 = field(default_factory=no_relations)
    deprecated: Bool | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        if "" in self.uris:
            raise InputError("a concept has no URI: give each concept a URI of its own")
        for what, strings in (("URI", self.uris), ("notation", self.notations)):
            repeated = None if strings is None else first_repeated(strings)
            if strings is not None and repeated is not None:
                raise InputError(f"two concepts have the {what} {quoted(strings[repeated])}: give each its own")

    @classmethod
    def stored(cls, **fields: Any) -> Vocabulary:
        """A vocabulary from a model directory: lengths and numbers are checked, but no string is decoded.

        Raises
        ------
        InputError
            Different lengths, or relations of concepts that do not exist.
        """
        made = object.__new__(cls)
        defaults: dict[str, Any] = {"alternatives": {}, "notations": None, "deprecated": None}
        for name, value in (defaults | fields).items():
            object.__setattr__(made, name, value)
        made._check_shapes()
        return made

    def _check_shapes(self) -> None:
        if len(self.uris) == 0:
            raise InputError("the vocabulary has no concepts: give at least one")
        columns: dict[str, Sequence[Any] | Bool | None] = {
            "notations": self.notations,
            "deprecated": self.deprecated,
            **{f"names in {quoted(language)}": names for language, names in self.names.items()},
            **{f"alternative names in {quoted(language)}": groups for language, groups in self.alternatives.items()},
        }
        for name, column in columns.items():
            if column is not None and len(column) != len(self):
                raise InputError(f"there are {len(column)} {name} for {len(self)} concepts: give one per concept")
        for name, pairs in (("broader", self.broader), ("related", self.related)):
            if pairs.dtype != np.int32 or pairs.ndim != 2 or pairs.shape[1] != 2:
                raise InputError(f"{name} must be an int32 array of shape (m, 2), not {pairs.dtype} of {pairs.shape}")
            if pairs.size and (pairs.min() < 0 or pairs.max() >= len(self)):
                raise InputError(f"{name} contains numbers that are not those of the {len(self)} concepts")

    def __len__(self) -> int:
        return len(self.uris)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} concepts, languages: {', '.join(self.languages) or 'not stated'})"

    @property
    def languages(self) -> list[str]:
        """Codes of the languages with preferred names, in alphabetical order."""
        return sorted(language for language in self.names if language != ANY_LANGUAGE)

    def checked_language(self, language: str | None = None) -> str:
        """The language of names: the given one, or the only one.

        Returns
        -------
        str
            A key of ``names``; "" if no name has a language.

        Raises
        ------
        InputError
            A language without names, or None where there are several languages.
        """
        if language is None:
            if len(self.languages) > 1:
                raise InputError(f"the vocabulary has names in {', '.join(self.languages)}: choose one as the language")
            return self.languages[0] if self.languages else ANY_LANGUAGE
        if language in self.names:
            return language
        if self.languages or ANY_LANGUAGE not in self.names:
            known = ", ".join(self.languages) or "no language"
            raise InputError(f"the vocabulary has no names in {quoted(language)}: it has names in {known}")
        return ANY_LANGUAGE

    def names_in(self, language: str | None = None) -> Sequence[str]:
        """The preferred name of each concept in a language, length L.

        Parameters
        ----------
        language : str, optional
            A language code; the only language of the vocabulary when None.

        Returns
        -------
        sequence of str
            A name without a language where the concept has none in the language; "" where it has neither.

        Raises
        ------
        InputError
            As in ``checked_language``.
        """
        code = self.checked_language(language)
        others = self.names.get(ANY_LANGUAGE)
        if code == ANY_LANGUAGE or others is None:
            return self.names.get(code) or [""] * len(self)
        return [name or other for name, other in zip(self.names[code], others, strict=True)]

    def alternatives_in(self, language: str | None = None) -> list[tuple[str, ...]]:
        """The alternative names of each concept in a language, with those without a language, length L.

        Parameters
        ----------
        language : str, optional
            As in ``names_in``.

        Raises
        ------
        InputError
            As in ``checked_language``.
        """
        codes = dict.fromkeys((self.checked_language(language), ANY_LANGUAGE))
        given = [self.alternatives[code] for code in codes if code in self.alternatives]
        if not given:
            return [()] * len(self)
        return [tuple(name for group in groups for name in group) for groups in zip(*given, strict=True)]

    def take(self, concepts: Int32 | Int64) -> Vocabulary:
        """The vocabulary of some of the concepts, renumbered in the given order; relations to others are left out."""
        numbers = concepts.tolist()
        place = np.full(len(self), -1, np.int32)
        place[concepts] = np.arange(len(concepts), dtype=np.int32)

        def taken(column: Sequence[Any]) -> list[Any]:
            return [column[number] for number in numbers]

        def between(pairs: Int32) -> Int32:
            moved = place[pairs].reshape(-1, 2)
            return moved[(moved >= 0).all(axis=1)]

        return Vocabulary(
            uris=taken(self.uris),
            names={language: taken(names) for language, names in self.names.items()},
            alternatives={language: Groups.of(taken(groups)) for language, groups in self.alternatives.items()},
            notations=None if self.notations is None else taken(self.notations),
            broader=between(self.broader),
            related=between(self.related),
            deprecated=None if self.deprecated is None else self.deprecated[concepts],
        )

    @cached_property
    def by_identifier(self) -> Mapping[str, int]:
        """Numbers of concepts by URI and by notation; a URI has priority."""
        numbers = {notation: number for number, notation in enumerate(self.notations or ()) if notation}
        numbers.update((uri, number) for number, uri in enumerate(self.uris))
        return numbers

    @cached_property
    def by_name(self) -> Mapping[str, int]:
        """Numbers of concepts by their preferred names in all languages; names of several concepts are left out."""
        numbers: dict[str, int] = {}
        for names in self.names.values():
            for number, name in enumerate(names):
                if name and numbers.setdefault(name, number) != number:
                    numbers[name] = -1
        return {name: number for name, number in numbers.items() if number >= 0}


def first_repeated(strings: Sequence[str]) -> int | None:
    """Place of the first string that occurs earlier in the sequence; None if all are different. "" is not compared."""
    seen: set[str] = set()
    for place, string in enumerate(strings):
        if string and string in seen:
            return place
        seen.add(string)
    return None
