"""Names and relations of labels, from label names, from the settings of the matcher and from a vocabulary.

preferred    = name in the vocabulary, or else the name of the label
alternative  = those of the setting ``alternative_names``, those of the vocabulary, and another name of the label
broader, related = pairs of the settings and of the vocabulary
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ramify.errors import InputError
from ramify.models.lexical.features import Relations
from ramify.values import Vocabulary
from ramify.values.vocabulary import ANY_LANGUAGE

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """What is known of labels besides documents.

    Parameters
    ----------
    preferred : sequence of str, length L
        Preferred name of each label; "" for a label without a name.
    alternative : sequence of sequences of str, length L
        Alternative names of each label.
    relations : Relations
        Broader and related labels.
    """

    preferred: Sequence[str]
    alternative: Sequence[Sequence[str]]
    relations: Relations

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        vocabulary: Vocabulary | None = None,
        *,
        alternative: Mapping[str, Sequence[str]] | None = None,
        broader: Pairs | None = None,
        related: Pairs | None = None,
    ) -> Described:
        """Join names, settings and vocabulary.

        Parameters
        ----------
        names : sequence of str, length L
            Names of the labels.
        vocabulary : Vocabulary of L concepts, optional
            Concept i is label i. Its names are those in the language of ``names``, and those without a language. If no
            label has its name in any language of several, only names without a language are used.
        alternative : mapping of str to sequence of str, optional
            Alternative names by label name; names of other labels are ignored.
        broader, related : sequence of (str, str), optional
            Pairs of label names; pairs with names of no label are left out.

        Raises
        ------
        InputError
            Another number of concepts than of labels.
        """
        given = alternative or {}
        others: list[Sequence[str]] = [given.get(name, ()) for name in names]
        relations = Relations.of(broader, related, names)
        if vocabulary is None:
            return cls(preferred=names, alternative=others, relations=relations)
        if len(vocabulary) != len(names):
            raise InputError(
                f"LexicalMatcher has a vocabulary of {len(vocabulary)} concepts for {len(names)} labels: give one "
                "concept per label"
            )
        known, more = names_and_alternatives(vocabulary, language_of(names, vocabulary))
        listed = list(zip(names, known, vocabulary.uris, strict=True))
        preferred = [own or ("" if name == uri else name) for name, own, uri in listed]
        further = [(name,) if _is_further(name, own, uri) else () for name, own, uri in listed]
        return cls(
            preferred=preferred,
            alternative=[sum(every, ()) for every in zip(map(tuple, others), more, further, strict=True)],
            relations=Relations(
                broader=np.concatenate([relations.broader, vocabulary.broader]),
                related=np.concatenate([relations.related, vocabulary.related]),
                n_labels=len(names),
            ).distinct(),
        )


def language_of(names: Sequence[str], vocabulary: Vocabulary) -> str:
    """The language of the vocabulary in which most labels have their names; of several, the first by its code.

    If no label has its name in any language, this is the only language of the vocabulary, or "".
    """
    wanted = [name.casefold() for name in names]
    counts = {
        code: sum(name == own.casefold() for name, own in zip(wanted, known, strict=True))
        for code, known in sorted(vocabulary.names.items())
    }
    if any(counts.values()):
        return max(counts, key=lambda code: counts[code])
    return vocabulary.languages[0] if len(vocabulary.languages) == 1 else ANY_LANGUAGE


def names_and_alternatives(vocabulary: Vocabulary, language: str) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Preferred and alternative names in a language and without one; no names where there are neither."""
    if language not in vocabulary.names:
        given = vocabulary.alternatives.get(ANY_LANGUAGE, [()] * len(vocabulary))
        return [""] * len(vocabulary), [tuple(one) for one in given]
    return vocabulary.names_in(language), vocabulary.alternatives_in(language)


def _is_further(name: str, own: str, uri: str) -> bool:
    """Whether the name of a label is neither that of the vocabulary nor made of the identifier."""
    return bool(own) and name.casefold() != own.casefold() and uri not in name
