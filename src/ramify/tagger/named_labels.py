"""The labels of a fitted tagger: their ids by name, and what stands for them in answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ramify.tagger.given_labels import ids_of
from ramify.tagger.vocabulary import NAME, answers_of
from ramify.values import Vocabulary


class NamedLabels:
    """Methods of a tagger for names and identifiers of its labels (see ``Tagger``)."""

    label_names_: Sequence[str]
    label_keys_: Sequence[str] | None
    vocabulary_: Vocabulary | None
    _kept: dict[str, Any]

    def label_ids(self, names: Iterable[str]) -> list[int]:
        """Ids of labels by their names, their identifiers in the training file, or what else the vocabulary has.

        Raises
        ------
        InputError
            An unknown name; the message suggests the nearest one.
        """
        if isinstance(names, str | bytes) or not isinstance(names, Iterable):
            return ids_of(names, self._label_index())  # which refuses them
        wanted, own = list(names), self._own_index()
        # The index of a large vocabulary takes seconds, and is made only for a label that is not among the own ones.
        found = all(isinstance(name, str) and name in own for name in wanted)
        return ids_of(wanted, own if found else self._label_index())

    def has_label(self, name: str) -> bool:
        """Whether a label has this name or identifier."""
        return name in self._label_index()

    def answers(self, answer: str = NAME, language: str | None = None) -> Sequence[str]:
        """What stands for each label in answers, length L.

        Parameters
        ----------
        answer : {"name", "uri", "notation"}, default "name"
            The name; the identifier in the training file or vocabulary; or the notation in the vocabulary, the
            identifier where a label has none.
        language : str, optional
            Language code of names in the vocabulary; that of training when None. A label without a name in the language
            has the one of training.

        Raises
        ------
        InputError
            A tagger without identifiers, notations or names in the language.
        """
        check_is_fitted(self)
        return answers_of(self.label_names_, self.label_keys_, self.vocabulary_, answer, language)

    def _own_index(self) -> dict[str, int]:
        """Ids by name and by identifier; a name has priority."""
        ids: dict[str, int] | None = self._kept.get("own ids")
        if ids is None:
            keys = {key: number for number, key in enumerate(self.label_keys_ or ())}
            ids = self._kept["own ids"] = keys | {name: number for number, name in enumerate(self.label_names_)}
        return ids

    def _label_index(self) -> dict[str, int]:
        """Ids by everything that a vocabulary has, too."""
        if self.vocabulary_ is None:
            return self._own_index()
        ids: dict[str, int] | None = self._kept.get("ids")
        if ids is None:
            others = {**self.vocabulary_.by_name, **self.vocabulary_.by_identifier}
            ids = self._kept["ids"] = others | self._own_index()
        return ids
