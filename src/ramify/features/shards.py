"""tf-idf of more texts than memory holds: each shard is counted, the counts are merged, then each shard is weighed.

count(shard)      the n-grams of its texts: numbers of texts and of occurrences
merge(parts)      sums by n-gram, in the order of the first occurrence
choose(counts)    limits, the most frequent n-grams, order of the columns

Vocabulary, weights and rows are those of ``Tfidf`` on all texts, bit for bit, for any division into shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ramify.checks import thread_count
from ramify.features.plan import TextPlan
from ramify.features.tfidf import Tfidf
from ramify.kernels.stems import most_frequent
from ramify.kernels.text import MOST_KNOWN_WORDS, Vocabulary, checked_texts, hash_slots
from ramify.spill import Spill
from ramify.strings import StringTable
from ramify.values import CSR, Bool, Int64, csr_of

CHARACTERS = 1 << 24
"""Characters of the texts of one shard, about."""

Map = Callable[[Callable[[tuple[str, ...]], "TermCounts"], Iterable[tuple[str, ...]]], Iterable["TermCounts"]]
"""Applies a function to each shard: ``map``, or the method ``map`` of an executor of ``concurrent.futures``."""


@dataclass(frozen=True, kw_only=True)
class TermCounts:
    """The n-grams of some texts.

    Parameters
    ----------
    n_texts : int
        Number of texts.
    names : StringTable, length m
        The n-grams.
    hashes : uint64 array, shape (m,)
        Their hashes, all different.
    are_words : bool array, shape (m,)
        Whether they are n-grams of words.
    documents, occurrences : int64 array, shape (m,)
        Number of texts that contain each n-gram, and of its occurrences.
    words : StringTable
        With a stemmer, the words before stemming; empty otherwise.
    word_counts : int64 array
        Their numbers of occurrences.
    """

    n_texts: int
    names: StringTable
    hashes: npt.NDArray[np.uint64]
    are_words: Bool
    documents: Int64
    occurrences: Int64
    words: StringTable
    word_counts: Int64

    def __len__(self) -> int:
        return len(self.hashes)


@dataclass(frozen=True)
class Counter:
    """A function that counts the n-grams of a shard; it can be sent to another process.

    Parameters
    ----------
    tfidf : Tfidf
        Settings of the n-grams.
    plan : TextPlan
        Of all texts.
    threads : int, default 1
        Number of threads of a call.
    """

    tfidf: Tfidf
    plan: TextPlan
    threads: int = 1

    def __call__(self, texts: Sequence[str]) -> TermCounts:
        """Count the n-grams of a shard.

        Raises
        ------
        InputError
            An item that is not a str.
        """
        counted = self.tfidf.counted(checked_texts(texts), self.plan, keep_words=True, threads=self.threads)
        columns, documents = counted.choose()
        words, word_counts = counted.words or ([], np.empty(0, np.int64))
        return TermCounts(
            n_texts=len(texts),
            names=columns.names,
            hashes=columns.hashes,
            are_words=np.arange(len(documents)) < columns.n_words,
            documents=documents,
            occurrences=counted.occurrences,
            words=StringTable.of(words),
            word_counts=word_counts,
        )


def merge(parts: Sequence[TermCounts]) -> TermCounts:
    """The counts of the texts of several shards together.

    Parameters
    ----------
    parts : sequence of TermCounts
        At least one, in the order of the shards.
    """
    hashes = np.concatenate([part.hashes for part in parts])
    found, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    words, word_counts = _merged_words(parts)
    return TermCounts(
        n_texts=sum(part.n_texts for part in parts),
        names=_taken([part.names for part in parts], first),
        hashes=found,
        are_words=np.concatenate([part.are_words for part in parts])[first],
        documents=_sums(group, [part.documents for part in parts], len(found)),
        occurrences=_sums(group, [part.occurrences for part in parts], len(found)),
        words=words,
        word_counts=word_counts,
    )


def _merged_words(parts: Sequence[TermCounts]) -> tuple[StringTable, Int64]:
    counts: dict[str, int] = {}
    for part in parts:
        for word, count in zip(part.words, part.word_counts.tolist(), strict=True):
            counts[word] = counts.get(word, 0) + count
    return StringTable.of(counts), np.fromiter(counts.values(), np.int64, len(counts))


def _sums(group: Int64, parts: Sequence[Int64], size: int) -> Int64:
    sums = np.zeros(size, np.int64)
    np.add.at(sums, group, np.concatenate(parts))
    return sums


def _taken(tables: Sequence[StringTable], numbers: Int64) -> StringTable:
    """Some strings of several tables that follow each other."""
    sizes = np.concatenate([np.diff(table.offsets) for table in tables])
    begin = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else np.empty(0, np.int64)
    blob = np.concatenate([table.blob for table in tables])
    offsets = np.concatenate([[0], np.cumsum(sizes[numbers])]).astype(np.int64)
    source = np.repeat(begin[numbers] - offsets[:-1], sizes[numbers]) + np.arange(offsets[-1])
    return StringTable(blob[source.astype(np.int64)], offsets)


def choose(
    counts: TermCounts, *, min_documents: int, max_documents: int, max_terms: int | None
) -> tuple[Vocabulary, Int64]:
    """The columns and their document frequencies, as ``CountedTexts.choose`` gives them for all texts."""
    within = (counts.documents >= min_documents) & (counts.documents <= max_documents)
    kinds = [
        _capped(counts, np.flatnonzero(within & kind), max_terms) for kind in (counts.are_words, ~counts.are_words)
    ]
    terms = np.concatenate(kinds)
    hashes = counts.hashes[terms]
    names = _taken([counts.names], terms)
    return Vocabulary(names=names, hashes=hashes, slots=hash_slots(hashes), n_words=len(kinds[0])), counts.documents[
        terms
    ]


def _capped(counts: TermCounts, terms: Int64, most: int | None) -> Int64:
    """The most frequent of the terms, in the order of their names; ties are broken by name."""
    frequency = counts.occurrences[terms]
    lowest = -1
    if most is not None and len(terms) > most:
        lowest = int(np.partition(frequency, len(terms) - most)[len(terms) - most])
        terms = terms[frequency >= lowest]
    blob, offsets = counts.names.blob.tobytes(), counts.names.offsets
    names = [blob[offsets[term] : offsets[term + 1]] for term in terms.tolist()]
    terms = np.asarray(terms[np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)])
    if lowest < 0 or most is None:
        return terms
    equal = counts.occurrences[terms] == lowest
    return np.asarray(terms[~equal | (np.cumsum(equal) <= most - int((~equal).sum()))])


def shards_of(texts: Sequence[str], characters: int = CHARACTERS) -> Iterator[tuple[str, ...]]:
    """Consecutive texts of about so many characters together."""
    shard: list[str] = []
    size = 0
    for text in texts:
        shard.append(text)
        size += len(text)
        if size >= characters:
            yield tuple(shard)
            shard, size = [], 0
    if shard:
        yield tuple(shard)


def fit_shards(
    tfidf: Tfidf, texts: Sequence[str], *, characters: int = CHARACTERS, mapped: Map = map, threads: int | None = None
) -> Tfidf:
    """Learn vocabulary and idf shard by shard; the same as ``tfidf.fit(texts)``.

    Parameters
    ----------
    tfidf : Tfidf
        Unfitted.
    texts : sequence of str, length n
        Read twice, in order; may be a ``StringTable`` of mapped files.
    characters : int, default 16777216
        Characters of the texts of a shard, about.
    mapped : callable, default map
        Applies a function to each shard, such as the method ``map`` of a ``concurrent.futures`` executor.
    threads : int, optional
        Number of threads per shard; the setting of ``tfidf`` when None.

    Returns
    -------
    Tfidf
        The given object.

    Raises
    ------
    InputError
        As ``Tfidf.fit``.
    """
    tfidf.check_settings()
    plan = tfidf.plan_of(texts)
    counter = Counter(tfidf, plan, thread_count(tfidf.threads if threads is None else threads))
    counts = _merged_in_turn(mapped(counter, shards_of(texts, characters)), counter(()))
    low, high = tfidf.document_limits(plan, counts.n_texts)
    columns, documents = choose(counts, min_documents=low, max_documents=high, max_terms=tfidf.max_features)
    known = most_frequent(list(counts.words), counts.word_counts, MOST_KNOWN_WORDS)
    return tfidf.set_counted(plan, columns, documents, n_grams=len(counts), n_texts=counts.n_texts, known_words=known)


def _merged_in_turn(parts: Iterable[TermCounts], nothing: TermCounts) -> TermCounts:
    """The counts of all parts together; ``nothing`` without a part.

    Each waiting count has more than twice the n-grams of the next one. An n-gram therefore takes part in a number of
    merges that grows with the logarithm of the number of parts, and the waiting counts have less than twice the
    n-grams of the first.
    """
    waiting: list[TermCounts] = []
    for part in parts:
        waiting.append(part)
        while len(waiting) > 1 and len(waiting[-2]) <= 2 * len(waiting[-1]):
            waiting[-2:] = [merge(waiting[-2:])]
    return merge(waiting or [nothing])


def fit_transform_shards(tfidf: Tfidf, texts: Sequence[str], spill: Spill, *, characters: int = CHARACTERS) -> CSR:
    """Learn from the texts and return their features in mapped files; equal to ``tfidf.fit_transform(texts)``.

    Returns
    -------
    csr_matrix, shape (n, d)
        float32, indices sorted.

    Raises
    ------
    InputError
        As ``Tfidf.fit``; the folder of the files has too little space.
    """
    fit_shards(tfidf, texts, characters=characters)
    indices, data, sizes = spill.growing(np.int32), spill.growing(np.float32), [np.zeros(1, np.int64)]
    for shard in shards_of(texts, characters):
        rows = tfidf.transform(shard)
        indices.append(rows.indices)
        data.append(rows.data)
        sizes.append(np.diff(rows.indptr))
    indptr = np.cumsum(np.concatenate(sizes))
    return csr_of(data.finish(), indices.finish(), indptr, len(tfidf.idf_))
