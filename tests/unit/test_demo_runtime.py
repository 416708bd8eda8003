"""Functions without Python source are described by the running interpreter."""

from __future__ import annotations

import pytest

from ramify.demo.runtime import runtime_descriptions


@pytest.fixture(scope="module")
def described():
    return runtime_descriptions()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("math.gcd", "divisor"),
        ("itertools.combinations", "combinations"),
        ("str.split", "separator"),
        ("list.sort", "ascending"),
        ("random.shuffle", "Shuffle"),
        ("hashlib.sha256", "sha256"),
        ("os.listdir", "list"),
        ("numpy.linspace", "spaced"),
    ],
)
def test_functions_in_c_and_bound_methods_are_described(described, name, word):
    assert word.lower() in described[name].lower()


def test_private_names_exceptions_and_replaceable_hooks_are_left_out(described):
    assert list(described) == sorted(described)
    assert not [name for name in described if any(part.startswith("_") for part in name.split("."))]
    assert not {"ValueError", "csv.Error", "sys.excepthook", "numpy.generic.mean"} & set(described)
    assert all(described.values())
