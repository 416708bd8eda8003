"""Whatever is done to a model directory, loading says ModelFileError, or the model answers; the process never dies."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tampering import LABELS, TEXTS, arrays_of, copy_of, file_of, read_arrays, redigest, use, write_arrays

import ramify
from ramify import Tagger, Tfidf, XRLinear
from ramify.errors import ModelFileError, RamifyError
from ramify.store import MANIFEST

HERE = Path(__file__).parent
TMP = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hostile") / "model"
    inner = XRLinear(branching=2, max_leaf=1, threshold=0.01, threads=1)
    Tagger(inner, vectorizer=Tfidf(min_df=1, threads=1)).fit(TEXTS, LABELS).save(directory)
    use(ramify.load(directory))
    return directory


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("tampered") / "model"


def _load_or_refuse(directory, *, verify=True):
    """The model, used, or None where it was refused in the right way."""
    try:
        loaded = ramify.load(directory, verify=verify)
    except ModelFileError as error:
        assert "\n" not in str(error)
        return None
    with suppress(RamifyError):
        use(loaded)
    return loaded


@pytest.mark.parametrize("name", ["manifest", "arrays"])
@settings(TMP, max_examples=60)
@given(data=st.data())
def test_any_changed_byte_is_noticed(model, place, name, data):
    path = file_of(copy_of(model, place), name)
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    with pytest.raises(ModelFileError):
        ramify.load(place)


@pytest.mark.parametrize("name", ["manifest", "arrays"])
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("kept", [0, 1, 7, 8, 9, 100, 0.3, 0.9, -1])
def test_truncated_files(model, place, name, verify, kept):
    path = file_of(copy_of(model, place), name)
    raw = path.read_bytes()
    cut = raw[: int(len(raw) * kept) if isinstance(kept, float) else kept]
    path.write_bytes(cut)
    if name == "arrays":
        assert _refused(place, verify)
        redigest(place)
    if cut.strip() != raw.strip():
        assert _refused(place, verify)


def _refused(directory, verify=True):
    try:
        ramify.load(directory, verify=verify)
    except ModelFileError:
        return True
    return False


@pytest.mark.parametrize("name", ["manifest", "arrays"])
@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"\x80\x04K\x01.", b"\xff" * 64, b"PK\x03\x04" * 9])
def test_foreign_files(model, place, name, content):
    file_of(copy_of(model, place), name).write_bytes(content)
    assert _refused(place)
    assert _refused(place, verify=False)
    if name == "arrays":
        redigest(place)
        assert _refused(place)


@pytest.mark.parametrize("name", ["manifest", "arrays"])
def test_missing_files(model, place, name):
    file_of(copy_of(model, place), name).unlink()
    assert _refused(place)


ARRAYS = "arrays-0123456789abcdef.safetensors"
DIGEST = "0123456789abcdef" * 4
LISTS = [
    {ARRAYS: 3}, {ARRAYS: {"bytes": "1"}}, {ARRAYS: {"bytes": 9, "sha256": DIGEST}, "more": {}},
    {ARRAYS: {"bytes": 9, "sha256": "f" * 64}}, {ARRAYS: {"bytes": 9, "sha256": DIGEST}},
    {f"../{ARRAYS}": {"bytes": 9, "sha256": DIGEST}}, {"/etc/passwd": {"bytes": 9, "sha256": DIGEST}},
    {MANIFEST: {"bytes": 9, "sha256": DIGEST}}, {"arrays.safetensors": {"bytes": 9, "sha256": DIGEST}},
]  # fmt: skip


@pytest.mark.parametrize("key", ["format", "ramify", "class", "config", "files", "sha256"])
@pytest.mark.parametrize("value", [None, 99, -1, True, "text", [], {}, *LISTS, 1e999])
def test_manifest_entries_of_other_types(model, place, key, value):
    manifest = copy_of(model, place) / MANIFEST
    body = json.loads(manifest.read_text("utf-8"))
    if key == "sha256":
        body["sha256"] = value
        manifest.write_text(json.dumps(body), "utf-8")
    else:
        redigest(place, lambda body: body.update({key: value}))
    assert _refused(place) or (key == "ramify" and value == "text")


@pytest.mark.parametrize("depth", [100, 900, 990, 5_000, 100_000])
def test_deep_json(model, place, depth):
    manifest = copy_of(model, place) / MANIFEST
    body = manifest.read_text("utf-8")
    manifest.write_text(
        body.replace('"config": {', '"config": {"deep": ' + "[" * depth + "]" * depth + ", ", 1), "utf-8"
    )
    assert _refused(place)
    copy_of(model, place)
    header, arrays = read_arrays(place)
    write_arrays(place, header, arrays, text='{"a": ' + "[" * depth + "]" * depth + "}")
    assert _refused(place)


@pytest.mark.parametrize("depth", [3, 100, 160, 300])
def test_taggers_within_taggers(model, place, depth):
    copy_of(model, place)

    def nest(body):
        for _ in range(depth):
            inner = {"class": "Tagger", "config": body["config"]}
            body["config"] = {"model": inner, "vectorizer": None}

    redigest(place, nest)
    assert _refused(place)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["Tagger", "XRLinear", "Tfidf", "Hashing", "SklearnText", "os", "int8", "fp32", "tfn", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def _paths(value, above=()):
    yield above
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*above, key))


@settings(TMP, max_examples=60)
@given(data=st.data())
def test_settings_that_make_no_sense(model, place, data):
    copy_of(model, place)
    config = json.loads((place / MANIFEST).read_text("utf-8"))["config"]
    path = data.draw(st.sampled_from(sorted(path for path in _paths(config) if path)))
    action = data.draw(st.sampled_from(["replace", "drop", "add"]))

    def tamper(body):
        inner = body["config"]
        for key in path[:-1]:
            inner = inner[key]
        if action == "drop":
            del inner[path[-1]]
        else:
            inner[path[-1] if action == "replace" else "unknown"] = data.draw(JSON)

    redigest(place, tamper)
    _load_or_refuse(place)


def _header(model):
    return read_arrays(model)[0]


@pytest.mark.parametrize("harm", ["dtype", "dtypes", "short", "long", "shape", "deep", "negative", "huge", "swap",
                                  "float", "text", "drop", "none", "list", "beyond"])  # fmt: skip
def test_headers_that_lie(model, place, harm):
    for name in _header(model):
        if name == "__metadata__":
            continue
        header, body = read_arrays(copy_of(model, place))
        entry = header[name]
        begin, end = entry["data_offsets"]
        changes = {
            "dtype": {"dtype": "F64"}, "dtypes": {"dtype": ["U8"]}, "short": {"data_offsets": [begin, end - 1]},
            "long": {"data_offsets": [begin, end + 8]}, "shape": {"shape": [*entry["shape"], 2]},
            "deep": {"shape": [1] * 70 + entry["shape"]}, "negative": {"data_offsets": [-8, end - begin - 8]},
            "huge": {"shape": [2**62, 2**62], "data_offsets": [0, 2**124 * 8]}, "swap": {"data_offsets": [end, begin]},
            "float": {"data_offsets": [begin + 0.5, end]}, "text": {"shape": "12"},
            "beyond": {"data_offsets": [len(body), len(body) + end - begin]},
        }  # fmt: skip
        if harm in changes:
            entry.update(changes[harm])
        elif harm == "drop":
            del header[name]
        else:
            header[name] = {"none": None, "list": [1, 2]}[harm]
        write_arrays(place, header, body)
        # 0 and 1 entries can hide a harm; the model must then still answer.
        loaded = _load_or_refuse(place)
        assert loaded is None or end - begin <= 8 or harm in ("swap", "beyond") or name == "labels/counts"


def test_misaligned_arrays(model, place):
    write_arrays(copy_of(model, place), *read_arrays(model), aligned=False)
    assert _refused(place)


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63, 2**64 - 1])
def test_impossible_header_lengths(model, place, length):
    path = arrays_of(copy_of(model, place))
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    redigest(place)
    assert _refused(place)


WILD = [0, 1, 2, 255, 2**31 - 1, 2**31, 2**62, 2**63 - 1, -1, -(2**31), -(2**63)]


@settings(TMP, max_examples=80)
@given(data=st.data())
def test_arrays_of_nonsense_with_right_digests(model, place, data):
    """Lengths and types stay, values go wild: pointers, parents, labels, hash words, weights, names."""
    header, body = read_arrays(copy_of(model, place))
    name = data.draw(st.sampled_from(sorted(header)))
    begin, end = header[name]["data_offsets"]
    kinds = {"I64": np.int64, "U64": np.uint64, "I32": np.int32, "F32": np.float32, "U16": np.uint16, "U8": np.uint8}
    array = np.frombuffer(body[begin:end], kinds[header[name]["dtype"]]).copy()
    for _ in range(data.draw(st.integers(1, 3)) if array.size else 0):
        place_of = data.draw(st.integers(0, array.size - 1))
        value = data.draw(st.sampled_from(WILD) | st.integers(0, 300) | st.sampled_from([float("nan"), float("inf")]))
        with np.errstate(all="ignore"):
            raw = np.array([value if array.dtype.kind == "f" or np.isfinite(value) else 7]).astype(object)
            array[place_of] = _wrapped(raw[0], array.dtype)
    write_arrays(place, header, body[:begin] + array.tobytes() + body[end:])
    _load_or_refuse(place)


def _wrapped(value, dtype):
    if dtype.kind == "f":
        return dtype.type(value)
    return dtype.type(int(value) % 2 ** (8 * dtype.itemsize)) if dtype.kind == "u" else _signed(int(value), dtype)


def _signed(value, dtype):
    bits = 8 * dtype.itemsize
    return dtype.type((value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1))


def test_pointers_that_ascend_only_by_overflow(model, place):
    """Differences of int64 can wrap around, so that a mad pointer looks sorted."""
    header, body = read_arrays(copy_of(model, place))
    long_enough = [n for n, e in header.items() if n.endswith(("block_rows", "block_entries")) and e["shape"][0] >= 6]
    assert long_enough
    for name in long_enough:
        begin, end = header[name]["data_offsets"]
        pointers = np.frombuffer(body[begin:end], np.int64).copy()
        pointers[1:5] = [2**63 - 1, -(2**63), -1, 0]
        write_arrays(place, header, body[:begin] + pointers.tobytes() + body[end:])
        assert _refused(place)


FUZZ = """
import sys
from pathlib import Path
import numpy as np
import ramify
from ramify.errors import RamifyError
from tampering import TEXTS, arrays_of, copy_of, read_arrays, use
model, place, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
rng, answered = np.random.default_rng(0), 0
deep = ("/words", "/keys", "/counts", "/entries", "/scale", "/bias")  # what no check of pointers sees
header = read_arrays(model)[0]
deep = np.concatenate([np.arange(*entry["data_offsets"]) for name, entry in header.items() if name.endswith(deep)])
for number in range(rounds):
    path = arrays_of(copy_of(model, place))
    raw = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(raw[:8], "little")
    for _ in range(rng.integers(1, 30)):
        raw[rng.integers(start, len(raw)) if number % 3 == 0 else start + rng.choice(deep)] = rng.integers(256)
    path.write_bytes(raw)
    try:
        loaded = ramify.load(place, verify=False)
        loaded.tag(TEXTS, k=4)
        answered += 1
        use(loaded)
    except RamifyError:
        pass
print("answered", answered)
"""


def test_damage_behind_the_checksum_never_ends_the_process(model, tmp_path):
    command = [sys.executable, "-X", "faulthandler", "-c", FUZZ, str(model), str(tmp_path / "model"), "150"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) > 20
