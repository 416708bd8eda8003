"""One name for each label of several members: labels are the same if their identifiers are, else if their names are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ramify.data.names import renamed
from ramify.errors import InputError
from ramify.tagger.given_labels import of_used_labels
from ramify.tagger.tagger import Tagger
from ramify.tagger.vocabulary import known_labels
from ramify.values import Dataset
from ramify.wording import quoted


@dataclass(frozen=True)
class JointLabels:
    """The labels of the members of a fusion.

    Parameters
    ----------
    names_of : dict of str to list of str
        For each member, by name, the name in the fusion of each of its labels.
    key_of : dict of str to str
        Identifiers by names in the fusion; without the labels that have none.
    """

    names_of: Mapping[str, list[str]]
    key_of: Mapping[str, str]

    @classmethod
    def of(cls, members: Mapping[str, tuple[Sequence[str], Sequence[str] | None]]) -> JointLabels:
        """From the names and identifiers of each member's labels.

        A label has the name of the first member that has its identifier; if an earlier label with another identifier
        has that name, "name (identifier)". A label without identifier may be the identifier of another member's label.

        Raises
        ------
        InputError
            Two labels of a member that are the same.
        """
        key_of: dict[str, str] = {}
        name_of: dict[str, str] = {}
        for names, keys in members.values():
            for name, key in zip(names, keys or (), strict=False):
                if key == name or key in name_of:  # an identifier that is the name stands for none
                    continue
                new = _free_name(name, key, key_of)
                key_of[new], name_of[key] = key, new
        joint = {}
        for member, (names, keys) in members.items():
            pairs = zip(names, names if keys is None else keys, strict=True)
            own = [name_of[key] if key != name else _named(name, key_of, name_of) for name, key in pairs]
            _check_different(member, names, own)
            joint[member] = own
        return cls(joint, key_of)

    @property
    def names(self) -> list[str]:
        """The names of all labels, in the order of the members."""
        return list(dict.fromkeys(name for own in self.names_of.values() for name in own))

    def of_data(self, dataset: Dataset, taggers: Mapping[str, Tagger]) -> Dataset:
        """The Dataset with the names of the fusion, for labels given by name or by identifier."""
        dataset = of_used_labels(dataset)
        by_name: dict[str, str] = {}
        by_key = {key: name for name, key in self.key_of.items()}
        for member, tagger in reversed(list(taggers.items())):
            own = self.names_of[member]
            if tagger.vocabulary_ is not None:
                by_name |= zip(*known_labels(dataset.label_names, tagger.vocabulary_, own), strict=True)
            by_name |= zip(tagger.label_names_, own, strict=True)
        keys = dataset.label_names if dataset.label_keys is None else dataset.label_keys
        names = [
            by_key.get(key) or by_name.get(name, name) for name, key in zip(dataset.label_names, keys, strict=True)
        ]
        return renamed(dataset, dataset.label_names, names)


def _free_name(name: str, key: str, key_of: Mapping[str, str]) -> str:
    """The name of a label with an identifier that no earlier label has: its own, unless that name is used."""
    while name in key_of:
        name = f"{name} ({key})"
    return name


def _named(name: str, key_of: Mapping[str, str], name_of: Mapping[str, str]) -> str:
    """The name in the fusion of a label without identifier."""
    return name if name in key_of else name_of.get(name, name)


def _check_different(member: str, names: Sequence[str], own: Sequence[str]) -> None:
    """Raise InputError if two labels of a member have one name in the fusion."""
    first: dict[str, int] = {}
    for number, name in enumerate(own):
        if name in first:
            pair = f"{quoted(names[first[name]])} and {quoted(names[number])}"
            raise InputError(
                f"the labels {pair} of the member {member} are one label of another member, by its name and by its "
                "identifier: use one of them"
            )
        first[name] = number
