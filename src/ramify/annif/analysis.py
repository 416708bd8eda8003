"""The words of a project's analyzer: for tf-idf features, not for models that use texts.

``LexicalMatcher`` and ``NearestTexts`` find sentences and stems themselves, so that they get the original texts. A
fusion of these with a tree gets both: the vectorizer of the tree is then an ``Analyzed`` one, which is never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ramify.models.base.adapter import as_model, unfitted
from ramify.tagger import Tagger

Prepare = Callable[[str], str]
"""Maps a text to the words of the analyzer, with blanks between them."""


class Analyzed:
    """A vectorizer on the words of an analyzer.

    Parameters
    ----------
    vectorizer : Vectorizer
        Gets the words.
    prepare : callable
        Makes them.
    """

    def __init__(self, vectorizer: Any, prepare: Prepare) -> None:
        self.vectorizer, self.prepare = vectorizer, prepare

    def __deepcopy__(self, memo: Any) -> Analyzed:
        return Analyzed(unfitted(self.vectorizer), self.prepare)

    def fit_transform(self, texts: Sequence[str]) -> Any:
        """See ``protocols.Vectorizer``."""
        return self.vectorizer.fit_transform([self.prepare(text) for text in texts])

    def transform(self, texts: Sequence[str]) -> Any:
        """See ``protocols.Vectorizer``."""
        return self.vectorizer.transform([self.prepare(text) for text in texts])


def texts_for(tagger: Tagger, texts: Sequence[str], prepare: Prepare) -> list[str]:
    """Texts as a tagger gets them: the original ones for a model that uses texts, else the words of the analyzer."""
    return list(texts) if "texts" in as_model(tagger.model).needs else [prepare(text) for text in texts]


def attach(tagger: Tagger, prepare: Prepare) -> Tagger:
    """Let the vectorizer of a tagger analyze the texts itself, if the model gets the original ones besides features."""
    if as_model(tagger.model).needs >= {"X", "texts"}:
        for name in ("vectorizer", "vectorizer_"):
            found = getattr(tagger, name, None)
            if found is not None and not isinstance(found, Analyzed):
                setattr(tagger, name, Analyzed(found, prepare))
    return tagger


def detached(tagger: Tagger) -> Tagger:
    """A copy of a fitted tagger whose vectorizer gets words, for a model directory and for reasons."""
    plain: Tagger = tagger._snapshot()
    if isinstance(plain.vectorizer_, Analyzed):
        plain.vectorizer_ = plain.vectorizer_.vectorizer
    if isinstance(plain.vectorizer, Analyzed):
        plain.vectorizer = plain.vectorizer.vectorizer
    return plain
