"""The trie over label names, and beam search in it: only labels, each once, and the most probable sequence."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ramify.errors import InputError
from ramify.generate.decoding import Grammar, generate
from ramify.generate.label_tokens import LabelTokens, Vocabulary
from ramify.generate.trie import ROOT, RankSets, Trie

N_PIECES = 4
VOCABULARY = Vocabulary(np.arange(N_PIECES, dtype=np.int32), N_PIECES, 0, 1)
NAMES = st.lists(st.lists(st.integers(2, N_PIECES + 1), min_size=1, max_size=4), min_size=1, max_size=12)


def label_tokens(names):
    lengths = [len(name) for name in names]
    return LabelTokens(np.array([t for name in names for t in name], np.int32), np.cumsum([0, *lengths]))


def walked(trie, node=ROOT, path=()):
    """Token sequence and label of every label below a node."""
    if trie.ends[node]:
        yield path, int(trie.labels[trie.low[node]])
    for child in range(trie.first_child[node], trie.first_child[node + 1]):
        assert trie.low[node] <= trie.low[child] < trie.high[child] <= trie.high[node]
        yield from walked(trie, child, (*path, int(trie.token[child])))


class StubDecoder:
    """Log probabilities that depend on the tokens so far only, drawn from a seed."""

    def __init__(self, n, seed):
        self.prefixes, self.seed = [()] * n, seed

    def log_probabilities(self, tokens):
        self.prefixes = [(*p, int(t)) for p, t in zip(self.prefixes, tokens, strict=True)]
        return torch.from_numpy(np.stack([self.of(prefix) for prefix in self.prefixes]).astype(np.float32))

    def of(self, prefix):
        values = np.random.default_rng([self.seed, *prefix]).normal(size=VOCABULARY.size) * 3
        return values - np.log(np.exp(values).sum())

    def keep(self, rows):
        self.prefixes = [self.prefixes[row] for row in rows.tolist()]


class StubNetwork:
    """In place of a GenerationNetwork."""

    def __init__(self, seed):
        self.vocabulary, self.seed = VOCABULARY, seed

    def cached(self, states, mask):
        self.decoder = StubDecoder(len(states), self.seed)
        return self.decoder


def searched(names, seed=0, n=1, permitted=None, **settings):
    trie = Trie.of(label_tokens(names))
    network = StubNetwork(seed)
    found = generate(network, torch.zeros(n, 1, 1), torch.ones(n, 1), Grammar(network, trie, permitted, n), **settings)
    return trie, network, found


@given(NAMES)
def test_a_trie_has_exactly_the_given_labels(names):
    trie = Trie.of(label_tokens(names))
    first = {}
    for label, name in enumerate(names):
        first.setdefault(tuple(name), label)
    assert dict(walked(trie)) == first
    assert [
        trie.labels.tolist().index(label) for _, label in sorted((name, label) for name, label in first.items())
    ] == list(range(len(first)))


@given(NAMES, st.data())
def test_a_trie_of_some_labels(names, data):
    chosen = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, unique=True))
    trie = Trie.of(label_tokens(names), np.array(chosen))
    first = {}
    for label in chosen:
        first.setdefault(tuple(names[label]), label)
    assert dict(walked(trie)) == first


@given(NAMES)
def test_children_by_token(names):
    trie = Trie.of(label_tokens(names))
    for node, token in itertools.product(range(len(trie)), range(N_PIECES + 4)):
        children = range(trie.first_child[node], trie.first_child[node + 1])
        assert trie.child(node, token) == next((c for c in children if trie.token[c] == token), -1)
    owner, children = trie.children(np.arange(len(trie)))
    assert children.tolist() == list(range(1, len(trie)))
    assert (np.diff(owner) >= 0).all()


def test_a_trie_without_labels_is_refused():
    with pytest.raises(InputError, match="a trie needs at least one label: allow"):
        Trie.of(label_tokens([[2]]), np.zeros(0, np.int64))


@settings(max_examples=60)
@given(NAMES, st.integers(0, 1000), st.integers(1, 5))
def test_only_labels_are_generated_and_each_once(names, seed, beam):
    trie, _, found = searched(names, seed, n=3, beam=beam, most=40)
    assert len(found) == 3
    for sequences in found:
        assert 1 <= len(sequences) <= beam
        for one in sequences:
            assert one.labels
            assert len(set(one.labels)) == len(one.labels)
            assert all(0 <= rank < len(trie.labels) for rank in one.labels)
            assert len(one.scores) == len(one.labels)
            assert all(score <= 1e-9 for score in one.scores)


@settings(max_examples=60)
@given(NAMES, st.integers(0, 1000), st.booleans(), st.data())
def test_restrictions_per_instance(names, seed, forbidden, data):
    trie = Trie.of(label_tokens(names))
    row = st.lists(st.booleans(), min_size=len(names), max_size=len(names))
    given_labels = np.array(data.draw(st.lists(row, min_size=2, max_size=2)))
    sets = RankSets.of(sp.csr_matrix(given_labels), trie, forbidden=forbidden)
    may = (~given_labels if forbidden else given_labels)[:, trie.labels]
    _, _, found = searched(names, seed, n=2, permitted=sets, beam=3, most=40)
    for row, sequences in enumerate(found):
        assert bool(sequences) == bool(may[row].any())
        assert all(may[row, rank] for one in sequences for rank in one.labels)
    low, high = np.meshgrid(np.arange(len(trie.labels) + 1), np.arange(len(trie.labels) + 1))
    low, high = low[low <= high], high[low <= high]
    for row in range(2):
        wanted = [may[row, a:b].sum() for a, b in zip(low, high, strict=True)]
        assert sets.count(np.full(len(low), row), low, high).tolist() == wanted


def every_sequence(trie, network):
    """(log probability, tokens, ranks) of all sequences of different labels."""
    names = {label: path for path, label in walked(trie)}
    ranks = {int(label): rank for rank, label in enumerate(trie.labels)}
    for count in range(1, len(names) + 1):
        for labels in itertools.permutations(names, count):
            tokens = [t for label in labels for t in (*names[label], VOCABULARY.separator)]
            tokens[-1] = VOCABULARY.end
            prefix, total = (VOCABULARY.start,), 0.0
            for token in tokens:
                total += network.decoder.of(prefix)[token]
                prefix = (*prefix, token)
            yield total / len(tokens), tokens, tuple(ranks[label] for label in labels)


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(2, N_PIECES + 1), min_size=1, max_size=3), min_size=1, max_size=3), st.integers(0, 99)
)
def test_a_wide_beam_finds_the_best_sequence(names, seed):
    """Among all sequences; the search of an instance ends with `beam` finished ones, which are all here."""
    trie, network, [found] = searched(names, seed, beam=400, most=40)
    wanted = sorted(every_sequence(trie, network), reverse=True)
    assert len(found) == len(wanted)
    assert found[0].labels == wanted[0][2]
    assert found[0].quality == pytest.approx(wanted[0][0], abs=1e-5)


def test_a_label_that_begins_another_one():
    trie, network, [found] = searched([[2], [2, 3], [2, 3, 4]], seed=3, beam=50, most=40)
    assert {one.labels for one in found} == {ranks for _, _, ranks in every_sequence(trie, network)}


def test_scores_of_labels():
    """The score of a label has the probability of the separator and of the end after it."""
    _, network, [found] = searched([[2, 3], [4]], seed=5, beam=50, most=40)
    one = next(one for one in found if one.labels == (0, 1))
    of, v = network.decoder.of, VOCABULARY
    first = of((0,))[2] + of((0, 2))[3] + np.logaddexp(of((0, 2, 3))[v.separator], of((0, 2, 3))[v.end])
    before = (0, 2, 3, v.separator)
    second = of(before)[4] + np.logaddexp(of((*before, 4))[v.separator], of((*before, 4))[v.end])
    assert one.scores == pytest.approx([first, second], abs=1e-5)


def test_a_cut_sequence_ends_after_its_last_whole_label():
    _, _, [found] = searched([[2, 2], [3, 3], [4, 4]], seed=1, beam=1, most=4)
    assert len(found[0].labels) == 1


def test_open_decoding_generates_any_pieces():
    network = StubNetwork(2)
    [found] = generate(network, torch.zeros(1, 1, 1), torch.ones(1, 1), Grammar(network, None), beam=4, most=30)
    for one in found:
        assert all(2 <= token < 2 + N_PIECES for label in one.labels for token in label)
        assert all(one.labels)


def test_a_batch_finds_what_single_instances_find():
    names = [[2, 3], [2], [4, 5, 2], [5]]
    _, _, together = searched(names, seed=7, n=4, beam=3, most=40)
    _, _, [alone] = searched(names, seed=7, n=1, beam=3, most=40)
    assert all(one == alone for one in together)
