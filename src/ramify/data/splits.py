"""Training and test part of a Dataset, in one label space; the same seed gives the same parts on every machine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ramify.checks import Real, whole_number
from ramify.errors import InputError
from ramify.values import Bool, Dataset, Int64
from ramify.wording import quoted


def split_random(dataset: Dataset, test_size: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Split at random.

    Parameters
    ----------
    dataset : Dataset
        At least two rows.
    test_size : float, default 0.2
        The share of rows to test on, between 0 and 1; at least one row goes to each side.
    seed : int, default 0
        Seed of the order of rows.

    Returns
    -------
    tuple of Dataset
        (train, test); rows keep their order.

    Raises
    ------
    InputError
        Fewer than two rows, or a share outside 0..1.
    """
    n_test, seed = _test_rows(dataset, test_size), whole_number("seed", seed, 0)
    in_test = np.zeros(len(dataset), np.bool_)
    in_test[np.random.default_rng(seed).permutation(len(dataset))[:n_test]] = True
    return _parts(dataset, in_test)


def split_label_aware(dataset: Dataset, test_size: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Split at random, but keep in training at least one instance of every label that has any.

    Rows are visited in random order; one goes to the test part if each of its labels has another row left to train
    on. If rare labels prevent it, the test part is smaller than ``test_size``.

    Parameters
    ----------
    dataset, test_size, seed
        As in `split_random`.

    Returns
    -------
    tuple of Dataset
        (train, test); rows keep their order.

    Raises
    ------
    InputError
        As `split_random`; or every row has a label that no other row has.
    """
    n_test, seed = _test_rows(dataset, test_size), whole_number("seed", seed, 0)
    left = np.bincount(dataset.Y.indices, minlength=dataset.n_labels).tolist()
    indices, indptr = dataset.Y.indices.tolist(), dataset.Y.indptr.tolist()
    in_test = np.zeros(len(dataset), np.bool_)
    taken = 0
    for row in np.random.default_rng(seed).permutation(len(dataset)).tolist():
        if taken == n_test:
            break
        labels = indices[indptr[row] : indptr[row + 1]]
        if any(left[label] < 2 for label in labels):
            continue
        for label in labels:
            left[label] -= 1
        in_test[row] = True
        taken += 1
    if not taken:
        raise InputError("every row has a label that no other row has, so the test part stays empty: use split_random")
    return _parts(dataset, in_test)


def split_by_column(
    dataset: Dataset,
    values: Sequence[Any],
    *,
    test: Collection[Any] = ("test",),
) -> tuple[Dataset, Dataset]:
    """Split by a field with the part of each row.

    Parameters
    ----------
    dataset : Dataset
        The rows.
    values : sequence, length n
        One value per row, as `ramify.data.read_column` gives them.
    test : collection, default ("test",)
        The values of test rows; all others train.

    Returns
    -------
    tuple of Dataset
        (train, test); rows keep their order.

    Raises
    ------
    InputError
        Another number of values than rows, or a part that stays empty.

    Examples
    --------
    >>> split_by_column(dataset, read_column("bills.jsonl", "split"))  # doctest: +SKIP
    """
    _check_length(dataset, values)
    wanted = (test,) if isinstance(test, str) else tuple(test)
    in_test = np.fromiter((value in wanted for value in values), np.bool_, len(values))
    return _filled_parts(dataset, in_test, f"values of {', '.join(map(quoted, wanted[:8]))}")


def split_by_cutoff(dataset: Dataset, values: Sequence[Any], cutoff: Any) -> tuple[Dataset, Dataset]:
    """Split by time: rows whose value is at or after the cutoff are the test part.

    Parameters
    ----------
    dataset : Dataset
        The rows.
    values : sequence, length n
        One value per row, as `ramify.data.read_column` gives them: numbers, dates, or strings that sort by time as
        ISO dates do. Missing values (None, "") train.
    cutoff : object of the same kind
        The first test value; a number given for strings compares them as numbers.

    Returns
    -------
    tuple of Dataset
        (train, test); rows keep their order.

    Raises
    ------
    InputError
        Another number of values than rows, values that cannot be compared with the cutoff, or an empty part.

    Examples
    --------
    >>> split_by_cutoff(dataset, read_column("bills.jsonl", "date"), "2005-01-01")  # doctest: +SKIP
    """
    _check_length(dataset, values)
    as_number = isinstance(cutoff, int | float)
    in_test = np.zeros(len(values), np.bool_)
    for row, value in enumerate(values):
        if value is None or value == "":
            continue
        try:
            in_test[row] = (float(value) if as_number else value) >= cutoff
        except (TypeError, ValueError):
            raise InputError(
                f"row {row} holds {quoted(value)}, which cannot be compared with {quoted(cutoff)}"
            ) from None
    return _filled_parts(dataset, in_test, f"a value from {quoted(cutoff)} on")


def split_grouped(
    dataset: Dataset, groups: Sequence[Any] | Int64, test_size: float = 0.2, seed: int = 0
) -> tuple[Dataset, Dataset]:
    """Split at random, with all rows of a group on one side.

    Groups are visited in random order; one goes to the test part if it fits into the rows left there.

    Parameters
    ----------
    dataset : Dataset
        At least two rows.
    groups : sequence, length n
        One value per row; rows of equal values are a group. `ramify.data.duplicate_groups` gives those of duplicates,
        `ramify.data.read_column` those of a field such as the author.
    test_size, seed
        As in `split_random`. The test part is smaller than ``test_size`` if no group fits into what is left.

    Returns
    -------
    tuple of Dataset
        (train, test); rows keep their order.

    Raises
    ------
    InputError
        As `split_random`; another number of groups than rows, or every group is larger than the test part.

    Examples
    --------
    >>> split_grouped(dataset, duplicate_groups(dataset), test_size=0.1)  # doctest: +SKIP
    """
    n_test, seed = _test_rows(dataset, test_size), whole_number("seed", seed, 0)
    _check_length(dataset, groups)
    number: dict[Any, int] = {}
    numbers = np.fromiter((number.setdefault(group, len(number)) for group in groups), np.int64, len(dataset))
    sizes = np.bincount(numbers).tolist()
    in_test = np.zeros(len(sizes), np.bool_)
    left = n_test
    for group in np.random.default_rng(seed).permutation(len(sizes)).tolist():
        if sizes[group] <= left:
            in_test[group] = True
            left -= sizes[group]
        if left == 0:
            break
    if left == n_test:
        smallest = min(sizes)
        raise InputError(
            f"the smallest group has {smallest} of {len(dataset)} rows, but the test part at most {n_test}: "
            "use a larger test_size"
        )
    return _parts(dataset, in_test[numbers])


def _test_rows(dataset: Dataset, test_size: float) -> int:
    if not Real(0, 1).fits(test_size) or not 0 < test_size < 1:
        raise InputError(f"test_size is {quoted(test_size)}, but must be a share between 0 and 1")
    if len(dataset) < 2:
        raise InputError(f"the data have {len(dataset)} row(s), but a split needs at least 2")
    return min(max(round(test_size * len(dataset)), 1), len(dataset) - 1)


def _check_length(dataset: Dataset, values: Sequence[Any] | Int64) -> None:
    if len(values) != len(dataset):
        raise InputError(f"{len(values)} values are given for {len(dataset)} rows: give one per row")


def _filled_parts(dataset: Dataset, in_test: Bool, rule: str) -> tuple[Dataset, Dataset]:
    n_test = int(in_test.sum())
    if n_test in (0, len(dataset)):
        raise InputError(f"{n_test} of {len(dataset)} rows have {rule}, but both parts need rows: check the field")
    return _parts(dataset, in_test)


def _parts(dataset: Dataset, in_test: Bool) -> tuple[Dataset, Dataset]:
    return dataset.take(np.flatnonzero(~in_test)), dataset.take(np.flatnonzero(in_test))
