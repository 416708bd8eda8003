"""``inspect_data``: computes a ``DataHealth``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ramify.checks import whole_number
from ramify.data import find_duplicates, joined
from ramify.data.duplicates import SIMILARITY, Banding
from ramify.data.labels import NumberNames
from ramify.health.data_health import DataHealth
from ramify.health.frequencies import Frequencies, Unseen
from ramify.health.label_names import similar_names
from ramify.health.languages import LanguageMix
from ramify.health.overlap import overlap_of
from ramify.health.parts import PartFacts
from ramify.values import Dataset, StageProgress


def inspect_data(
    train: Dataset,
    test: Dataset | None = None,
    *,
    similarity: float = SIMILARITY,
    top: int = 10,
    seed: int = 0,
    sources: Sequence[str] = (),
    flags: str = "",
    progress: StageProgress | None = None,
) -> DataHealth:
    """Examine labelled data before training.

    Parameters
    ----------
    train : Dataset
        The training documents, or all documents.
    test : Dataset, optional
        The test documents, in their own label space.
    similarity : float, default 0.8
        Least Jaccard similarity of near duplicates, 0.5..1; see `ramify.data.find_duplicates`.
    top : int, default 10
        Number of the most frequent labels that are listed.
    seed : int, default 0
        Seed of the search of near duplicates.
    sources : sequence of str, optional
        File names of both parts, for the output. By default "DATA" and "TEST".
    flags : str, default ""
        Command-line flags by which the files are read, for the suggested command.
    progress : callable, optional
        Called with a stage ("duplicates", "labels", "names", "languages") and the share of it that is done.

    Returns
    -------
    DataHealth

    Raises
    ------
    InputError
        Texts in one part and features in the other; ``similarity``, ``top`` or ``seed`` is out of range.

    Examples
    --------
    >>> print(inspect_data(ramify.read("train.jsonl"), ramify.read("test.jsonl")))  # doctest: +SKIP
    """
    top = whole_number("top", top, 1)
    report = progress or (lambda stage, done: None)
    whole = train if test is None else joined(train, test)
    n_train = len(train)
    documents = whole.X if whole.texts is None else whole.texts
    found = find_duplicates(documents, similarity=similarity, seed=seed, progress=progress)
    report("labels", 0.0)
    Y_train, Y_test = whole.Y[:n_train], whole.Y[n_train:]
    counts = np.bincount(Y_train.indices, minlength=whole.n_labels)
    frequencies = Frequencies.of(counts, whole.label_names, top)
    unseen = None if test is None else Unseen.of(counts, Y_test)
    report("names", 0.0)
    all_counts = np.bincount(whole.Y.indices, minlength=whole.n_labels)
    named = not isinstance(whole.label_names, NumberNames)
    names = similar_names(whole.label_names, all_counts) if named else ()
    report("languages", 0.0)
    parts = [part for part in (train, test) if part is not None]
    languages = () if whole.texts is None else tuple(LanguageMix.of(part.texts or ()) for part in parts)
    report("languages", 1.0)
    return DataHealth(
        sources=tuple(sources) or ("DATA", "TEST")[: len(parts)],
        flags=flags,
        holds_texts=whole.texts is not None,
        train=PartFacts.of(train, found.empty[:n_train]),
        test=None if test is None else PartFacts.of(test, found.empty[n_train:]),
        frequencies=frequencies,
        unseen=unseen,
        overlap=overlap_of(whole, n_train, found, similarity, Banding.for_similarity(similarity).recall(similarity)),
        similar_names=names,
        languages=languages,
    )
