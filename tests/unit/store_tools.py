"""What the tests of model directories share."""

import json
from pathlib import Path

import numpy as np

from ramify.store import MANIFEST, StoredModel

FORMAT_1 = Path(__file__).parents[1] / "golden" / "format-1" / "Tagger" / "tree"


def made_model(value=1, **config):
    arrays = {
        "a": np.arange(value, dtype=np.int64), "b": np.ones((2, 3), np.float32), "c": np.empty(0, np.uint8),
        "d": np.array([True, False]), "e": np.full((value, 0, 2), 1, np.uint16), "f": np.array(value, np.float16),
        "g": np.asfortranarray(np.arange(6, dtype=np.int8).reshape(2, 3)),
    }  # fmt: skip
    return StoredModel("Kind", {"value": value, **config}, arrays, "9.9")


def check_equal(stored, model):
    assert (stored.kind, stored.config, stored.version) == (model.kind, model.config, model.version)
    assert stored.arrays.keys() == model.arrays.keys()
    for name, array in model.arrays.items():
        assert stored.arrays[name].dtype == array.dtype
        assert stored.arrays[name].shape == array.shape
        np.testing.assert_array_equal(stored.arrays[name], array)


def arrays_of(directory):
    (path,) = directory.glob("arrays*.safetensors")
    return path


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


def is_tidy(directory):
    """Whether the directory holds a manifest and the arrays that it lists, and nothing hidden lies beside it."""
    listed = list(json.loads((directory / MANIFEST).read_text("utf-8"))["files"])
    return names_in(directory) == sorted([MANIFEST, *listed]) and not list(directory.parent.glob(".*"))


def put_litter(directory):
    """What killed saves of both formats can leave."""
    names = [".arrays-0123456789abcdef.part", ".model-0123456789abcdef.part", "arrays-0123456789abcdef.safetensors"]
    for name in names:
        (directory / name).write_text("litter")
    return names
