"""Mutated data files give a Dataset or one sentence, and what was read is written and read again the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_mutations import mutated_files

from ramify.data import read, read_texts, write
from ramify.errors import RamifyError
from ramify.values import Dataset

COUNT = 60


def outcome(path: Path) -> Dataset | None:
    """Read in every way; None after an error."""
    try:
        dataset = read(path)
    except RamifyError as error:
        message = str(error)
        assert "\n" not in message and 0 < len(message) < len(str(path)) + 600, message
        dataset = None
    bad: list[RamifyError] = []
    try:
        for _ in read_texts(path, on_bad=bad.append):
            pass
    except RamifyError as error:
        bad.append(error)
    assert all("\n" not in str(error) for error in bad)
    return dataset


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_mutated_files(tmp_path, seed):
    n_read = 0
    for path in mutated_files(seed, COUNT, tmp_path):
        dataset = outcome(path)
        if dataset is None:
            continue
        n_read += 1
        copy = path.with_name("copy.jsonl" if dataset.texts is not None else "copy.npz")
        write(dataset, copy)
        again = read(copy)
        assert again.texts == dataset.texts
        kept = np.unique(dataset.Y.indices) if dataset.texts is not None else np.arange(dataset.n_labels)
        assert list(again.label_names) == [dataset.label_names[column] for column in kept.tolist()]
        np.testing.assert_array_equal(again.Y.indptr, dataset.Y.indptr)
        np.testing.assert_array_equal(again.Y.indices, np.searchsorted(kept, dataset.Y.indices))
        if dataset.X is not None:
            assert (again.X != dataset.X).nnz == 0
    assert 0 < n_read < COUNT


def test_the_same_seed_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = ([path.read_bytes() for path in mutated_files(7, 20, tmp_path / name)] for name in ("one", "two"))
    assert one == two
