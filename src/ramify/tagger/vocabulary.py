"""The vocabulary of a tagger: what stands for labels in answers, labels of other data, and storage with the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from ramify.data.vocabularies import without_brackets
from ramify.errors import InputError
from ramify.strings import StringTable
from ramify.values import Groups, Vocabulary
from ramify.values.vocabulary import no_relations
from ramify.wording import quoted

NAME, URI, NOTATION = "name", "uri", "notation"
ANSWERS = (NAME, URI, NOTATION)


class FirstFilled(Sequence[str]):
    """For each label, the first string of several sequences that is not empty; nothing is decoded before access.

    Parameters
    ----------
    *columns : sequences of str, length L
    """

    def __init__(self, *columns: Sequence[str]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return next((found for column in self._columns if (found := column[index])), "")


def answers_of(
    names: Sequence[str], keys: Sequence[str] | None, vocabulary: Vocabulary | None, answer: str, language: str | None
) -> Sequence[str]:
    """What stands for each label, length L; see ``FittedTagger.answers``."""
    if answer not in ANSWERS:
        raise InputError(f"answer is {quoted(answer)}, but must be one of {', '.join(ANSWERS)}")
    if language is not None and answer != NAME:
        raise InputError(f"the language {quoted(language)} is given, but the answer is a {answer}: leave one out")
    if answer == NAME and language is None:
        return names
    if answer == URI and keys is not None:
        return keys
    if vocabulary is None or keys is None:
        wanted = f"a language of names, {quoted(language)}," if answer == NAME else f"the answer {quoted(answer)}"
        raise InputError(f"{wanted} is wanted, but the model has no vocabulary: train it with one (--vocabulary FILE)")
    if answer == NAME:
        return FirstFilled(vocabulary.names[vocabulary.checked_language(language)], names)
    if vocabulary.notations is None:
        raise InputError("the answer 'notation' is wanted, but the vocabulary has no notations: choose name or uri")
    return FirstFilled(vocabulary.notations, keys)


def known_labels(labels: Sequence[str], vocabulary: Vocabulary, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those labels of other data that the vocabulary has by URI, notation or name, and the name of each in the model.

    Parameters
    ----------
    labels : sequence of str
        Labels of the data.
    vocabulary : Vocabulary
    names : sequence of str, length L
        Names of the model's labels; a label that is such a name stays as it is.
    """
    own = set(names)
    found: dict[str, str] = {}
    for label in labels:
        plain = without_brackets(label)
        number = vocabulary.by_identifier.get(plain)
        if number is None and label not in own:
            number = vocabulary.by_name.get(plain)
        if number is not None:
            found[label] = names[number]
    return list(found), list(found.values())


def vocabulary_to_state(vocabulary: Vocabulary) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and arrays of a vocabulary, without its URIs, which are the keys of the labels.

    Languages are numbered in the names of arrays, because their codes come from files.
    """
    config = {"languages": list(vocabulary.names), "alternatives": list(vocabulary.alternatives)}
    arrays: dict[str, Any] = {"broader": vocabulary.broader, "related": vocabulary.related}
    tables = {f"names/{number}": names for number, names in enumerate(vocabulary.names.values())}
    for number, groups in enumerate(vocabulary.alternatives.values()):
        tables[f"alternatives/{number}"] = groups.strings
        arrays[f"alternatives/{number}/groups"] = groups.offsets
    if vocabulary.notations is not None:
        tables["notations"] = vocabulary.notations
    for name, strings in tables.items():
        table = strings if isinstance(strings, StringTable) else StringTable.of(strings)
        arrays |= {f"{name}/blob": table.blob, f"{name}/offsets": table.offsets}
    return config, arrays


def vocabulary_from_state(config: dict[str, Any], arrays: dict[str, Any], uris: Sequence[str]) -> Vocabulary:
    """Restore a vocabulary from the result of ``vocabulary_to_state``.

    Raises
    ------
    KeyError, TypeError, ValueError
        A damaged state.
    """

    def table(name: str) -> StringTable:
        return StringTable(arrays[f"{name}/blob"], arrays[f"{name}/offsets"])

    codes = {name: config[name] for name in ("languages", "alternatives")}
    for name, listed in codes.items():
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise InputError(f"{name} is {quoted(listed)}, but must be a list of codes")
    return Vocabulary.stored(
        uris=uris,
        names={code: table(f"names/{number}") for number, code in enumerate(codes["languages"])},
        alternatives={
            code: Groups(table(f"alternatives/{number}"), arrays[f"alternatives/{number}/groups"])
            for number, code in enumerate(codes["alternatives"])
        },
        notations=table("notations") if "notations/blob" in arrays else None,
        broader=arrays.get("broader", no_relations()),
        related=arrays.get("related", no_relations()),
    )
