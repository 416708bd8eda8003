"""Model directories with settings and arrays changed and digests that agree with them, the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from tampering import copy_of, read_arrays, redigest, write_arrays

from ramify.store import MANIFEST

DTYPES = {"U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4", "U64": "u8", "I64": "i8",
          "F16": "f2", "F32": "f4", "F64": "f8", "BOOL": "?"}  # fmt: skip
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}

ODD_SETTINGS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 300, 4096, 2**31 - 1, 2**31, 2**63 - 1, 2**70, -(2**31), -(2**70), 0.5, 1.5,
    -0.5, 1e-300, 1e30, 1e300, 1e999, float("nan"), "", "text", "1", "int8", "fp32", "log-sigmoid", "sigmoid", "tfn",
    "x" * 3000, "a\nb", "\ud800", "/etc/passwd", "filename", "(a+)+$", "cpu", "os.system", [], {}, [None], [1, 2],
    [1, 10**9], ["a"], [[]], {"a": 1}, {"class": "Tagger", "config": {}}, [0.0] * 1000,
)  # fmt: skip

WILD = (0, 1, 2, -1, 7, 255, 256, 1000, 2**15, 2**16, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, 2**63 - 1, -(2**63),
        7 * 10**8, float("nan"), float("inf"), -float("inf"), 1e30, 1e-40, -1e30)  # fmt: skip


def mutated(model: Path, target: Path, seed: int) -> str:
    """Copy a model directory with one to three changes; returns what was changed.

    Parameters
    ----------
    model, target : Path
        From where, to where.
    seed : int
        The same seed makes the same changes.
    """
    rng = random.Random(seed)
    copy_of(model, target)
    body = json.loads((target / MANIFEST).read_text("utf-8"))
    config, kind, arrays = body["config"], {"class": body["class"]}, _stored_arrays(target)
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        share = rng.random()
        if share < 0.03:
            kind["class"] = rng.choice(("Tagger", "XRLinear", "SklearnText", "Tfidf", "Ensemble", "os", "LabelChain"))
            done.append(f"class={kind['class']}")
        elif share < 0.5 or not arrays:
            done.append(_change_config(config, rng))
        else:
            done.append(_change_arrays(arrays, rng))
    if any(step.startswith("array") for step in done):
        _put_arrays(target, arrays)
    redigest(target, lambda body: body.update({"config": config} | kind))
    return "; ".join(done)


def _stored_arrays(directory: Path) -> dict[str, Any]:
    header, body = read_arrays(directory)
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            arrays[name] = np.frombuffer(body[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
    return arrays


def _put_arrays(directory: Path, arrays: dict[str, Any]) -> None:
    header, pieces, end = {}, [], 0
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize):  # keeps them aligned
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [end, end + len(raw)],
        }
        pieces.append(raw)
        end += len(raw)
    write_arrays(directory, header, b"".join(pieces))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything inside."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _change_config(config: Any, rng: random.Random) -> str:
    places = list(_places(config))
    if not places:
        return "nothing"
    container, key = rng.choice(places)
    action = rng.choice(("replace", "replace", "replace", "near", "drop", "add", "swap"))
    if action == "add" and isinstance(container, dict):
        container["unknown"] = deepcopy(rng.choice(ODD_SETTINGS))
        return "unknown key"
    if action == "drop":
        del container[key]
        return f"drop {key}"
    if action == "swap":
        other, place = rng.choice(places)
        container[key] = deepcopy(other[place])  # a copy: no part may lie within itself
        return f"{key}=copy of {place}"
    old = container[key]
    near = isinstance(old, int | float) and not isinstance(old, bool) and action == "near"
    container[key] = rng.choice((old + 1, old - 1, 2 * old, -old)) if near else deepcopy(rng.choice(ODD_SETTINGS))
    return f"{key}={container[key]!r:.40}"


def _change_arrays(arrays: dict[str, Any], rng: random.Random) -> str:
    if not arrays:
        return "nothing"
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    action = rng.choice(("values", "values", "values", "shift", "cut", "extend", "dtype", "shape", "order", "fill",
                         "drop", "add", "swap"))  # fmt: skip
    if action == "drop":
        del arrays[name]
    elif action == "add":
        arrays[rng.choice(("log_bias", "unknown", "components", "idf", "labels/counts", "parents_9"))] = array
    elif action == "swap":
        other = rng.choice(sorted(arrays))
        arrays[name], arrays[other] = arrays[other], array
    else:
        arrays[name] = np.ascontiguousarray(_changed(array, action, rng))
    return f"array {name}: {action}"


def _changed(array: Any, action: str, rng: random.Random) -> Any:
    flat = array.reshape(-1).copy()
    if action == "dtype":
        with np.errstate(all="ignore"):
            return array.astype(rng.choice(("i4", "i8", "f4", "f8", "u1", "?", "f2", "u8")))
    if action == "shape":
        return rng.choice((array[None], array.reshape(-1), array.T, array.reshape(-1, 1)))
    if action == "cut":
        return array[: rng.randrange(len(array) + 1)] if array.ndim else array
    if action == "extend":
        return np.concatenate([array, array[: rng.randrange(len(array) + 1)]]) if array.ndim else array
    if flat.size == 0:
        return array
    if action == "order":
        flat = rng.choice((flat[::-1], np.sort(flat), np.roll(flat, 1)))
    elif action == "fill":
        flat[:] = _fitting(rng.choice(WILD), flat.dtype)
    else:
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(flat.size)
            if action == "shift" and flat.dtype.kind != "b":
                with np.errstate(all="ignore"):
                    flat[at : at + 1] += flat.dtype.type(1)
            else:
                flat[at] = _fitting(rng.choice(WILD), flat.dtype)
    return flat.reshape(array.shape)


def _fitting(value: float, dtype: Any) -> Any:
    """The value in another type, wrapped around where it is too large."""
    with np.errstate(all="ignore"):
        if dtype.kind in "fb":
            return np.float64(value).astype(dtype)
        whole = int(value) if np.isfinite(value) else 7
        return np.frombuffer((whole % 2**64).to_bytes(8, "little"), dtype)[0]
