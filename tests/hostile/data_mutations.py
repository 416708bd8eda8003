"""Damaged and odd data files by the thousand, the same ones for the same seed.

Each file starts as a small sound one of any format and goes through one or two mutations. Reading it must give a
Dataset or one ``RamifyError`` of one line, in bounded time and memory.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

TEXT_NAMES = ("d.jsonl", "d.csv", "d.tsv")
LONG_LINE = 1 << 20
ODD_VALUES = (
    "null", "1", "-0", "1e400", "NaN", "[]", "{}", '[["x"]]', '{"a": 1}', '"\\ud83d"', '"\\u0000"', '""', "true",
    "9" * 5000, "[" * 2000 + "]" * 2000, '"[\'a\' \'b\']"', "\"{'a'}\"", '"[1, 2]"', '"x;y"', '"' + "y" * 5000 + '"',
)  # fmt: skip
ODD_CELLS = (
    "",
    '"',
    '""',
    '"a',
    'a"b',
    '"a"b',
    "['a', 'b']",
    "['a' 'b']",
    "[]",
    "a|b",
    "a;b",
    ";",
    "\t",
    "\0",
    "x" * 5000,
)
ODD_HEADERS = (
    "0 0 0", "1 1 1", "3 2147483647 2147483647", "2147483647 5 5", "3 5", "3 5 5 5", "-3 5 5", "3.0 5 5", "3 5 0",
    "9999999999 5 5", "3 0 5", "a b c", "", "٣ 5 5", "3 5 " + "9" * 5000,
)  # fmt: skip
ODD_PAIRS = ("0:nan", "0:1e39", "-1:1", "9:1", "0", ":", "0:", ":1", "0:1:2", "1_0:1", "0:0x1", "0:3e38 0:3e38", "٣:1")


def mutated_files(seed: int, count: int, folder: Path) -> Iterator[Path]:
    """Write and yield damaged data files, each in a folder of its own.

    Parameters
    ----------
    seed : int
        The same seed gives the same files.
    count : int
        How many.
    folder : Path
        Where; an existing directory.

    Yields
    ------
    Path
        The file, just written. Names end in the extensions of data files, right or wrong ones.
    """
    for number in range(count):
        dice = random.Random(f"{seed}/{number}")
        own = folder / f"{seed}-{number}"
        own.mkdir()
        name, content = _start(dice)
        for _ in range(dice.choice((1, 1, 2))):
            name, content = dice.choice(MUTATIONS)(dice, name, content)
        path = own / name
        path.write_bytes(content)
        yield path


def _start(dice: random.Random) -> tuple[str, bytes]:
    name = dice.choice((*TEXT_NAMES, "d.txt", "d.npz", "d.parquet", "d.jsonl.gz", "d.csv.gz", "d.txt.gz"))
    kind = name.removesuffix(".gz")
    if kind == "d.npz":
        return name, _archive(dice)
    if kind == "d.parquet":
        return name, _parquet()
    content = _lines(dice, kind)
    return name, gzip.compress(content, mtime=0) if name.endswith(".gz") else content


def _lines(dice: random.Random, kind: str) -> bytes:
    if kind == "d.txt":
        odd = dice.random() < 0.3
        lines = [dice.choice(ODD_HEADERS) if odd else "3 5 4", "0,1 0:1 4:0.5", "2 1:-1", " 3:2"]
        if dice.random() < 0.3:
            lines[dice.randrange(1, 4)] += " " + dice.choice(ODD_PAIRS)
    elif kind == "d.jsonl":
        rows = [{"id": i, "text": f"text {i} ä", "labels": [f"l{i}", "all"]} for i in range(4)]
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        if dice.random() < 0.4:
            field, value = dice.choice(("id", "text", "labels")), dice.choice(ODD_VALUES)
            lines[dice.randrange(4)] = f'{{"text": "a", "labels": ["x"], "{field}": {value}}}'
    else:
        delimiter = dice.choice((",", "\t", ";", "|", ",", "\t"))
        cells = [["id", "text", "labels"], ["1", "ein Text", "x|y"], ["2", '"quoted ""one"""', "y"], ["3", "ö", "z"]]
        if dice.random() < 0.4:
            cells[dice.randrange(4)][dice.randrange(3)] = dice.choice(ODD_CELLS)
        lines = [delimiter.join(row) for row in cells]
    return ("\n".join(lines) + "\n").encode()


def _archive(dice: random.Random) -> bytes:
    parts: dict[str, object] = {
        "X_data": np.ones(2, np.float32), "X_indices": np.array([0, 1]), "X_indptr": np.array([0, 1, 2]),
        "X_shape": np.array([2, 3]), "Y_indices": np.array([0, 1]), "Y_indptr": np.array([0, 1, 2]),
        "Y_shape": np.array([2, 2]), "label_names": np.array(["a", "b"]),
    }  # fmt: skip
    odd: list[object] = [
        np.array([0, 2, 1]), np.array([0, -1]), np.array([2**31 - 1, 2**31 - 1]), np.array([2**62, 3]), np.array(["a"]),
        np.array([np.nan, 1e300]), np.array([None]), np.zeros((2, 2)), np.array(1), np.zeros(0), np.array([1 + 2j, 0]),
        np.array([True, False]), np.array([0.0, 1.0]), np.array([b"\xff"]), np.array([0, 1], ">i8"),
    ]  # fmt: skip
    for _ in range(dice.choice((0, 1, 1, 2))):
        key = dice.choice(sorted(parts))
        if dice.random() < 0.2:
            del parts[key]
        else:
            parts[key] = dice.choice(odd)
    buffer = io.BytesIO()
    np.savez(buffer, **parts)  # type: ignore[arg-type]
    if dice.random() < 0.2:  # an array header with arbitrary content
        shape, descr = dice.choice(((1 << 50,), (2,), (-1,))), dice.choice(("<f4", "|O", "junk", "open()"))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.writestr(zipfile.ZipInfo("X.npy"), header.getvalue())  # its date is fixed
    return buffer.getvalue()


def _parquet() -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return b"PAR1PAR1"
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2], "text": ["a", None], "labels": [["x"], ["x", "y"]]}), buffer)
    return buffer.getvalue()


def _flip(dice: random.Random, name: str, content: bytes) -> tuple[str, bytes]:
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 3, 20)) if content else 0):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return name, bytes(changed)


def _cut(dice: random.Random, name: str, content: bytes) -> tuple[str, bytes]:
    return name, content[: dice.randrange(len(content) + 1)]


def _append(dice: random.Random, name: str, content: bytes) -> tuple[str, bytes]:
    return name, content + dice.choice((b"\0", b"\0" * 5000, b"trailing", b"\n\n \n", content, dice.randbytes(100)))


def _plain(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, str, bytes], tuple[str, bytes]]:
    """A change of the bytes before they are compressed."""

    def mutation(dice: random.Random, name: str, content: bytes) -> tuple[str, bytes]:
        if not name.endswith(".gz"):
            return name, change(dice, content)
        try:
            return name, gzip.compress(change(dice, gzip.decompress(content)), mtime=0)
        except (OSError, EOFError, ValueError, zlib.error):  # damaged before
            return name, content

    return mutation


def _lines_changed(dice: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True) or [b"\n"]
    place = dice.randrange(len(lines))
    kind = dice.choice(("double", "delete", "swap", "long", "blank", "no end", "carriage", "unicode"))
    if kind == "double":
        lines.insert(place, lines[place])
    elif kind == "delete":
        del lines[place]
    elif kind == "swap":
        dice.shuffle(lines)
    elif kind == "long":
        lines[place] = lines[place].rstrip(b"\n") + dice.choice((b" ", b"x", b"0:1 ", b"[", b'"')) * LONG_LINE + b"\n"
    elif kind == "blank":
        lines.insert(place, dice.choice((b"\n", b" \n", b"\r\n", b"\t\n")) * dice.choice((3, 10_000, 1_000_100)))
    elif kind == "no end":
        lines[-1] = lines[-1].rstrip(b"\n")
    else:
        ends = {"carriage": (b"\r\n", b"\r"), "unicode": ("\u2028".encode(), "\x85".encode())}[kind]
        lines = [line.replace(b"\n", dice.choice(ends)) for line in lines]
    return b"".join(lines)


def _recoded(dice: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    encoding = dice.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp1252", "utf-7"))
    return text.encode(encoding, "replace")


def _structure(dice: random.Random, content: bytes) -> bytes:
    """One structural character for another."""
    signs = b'{}[]":,;|\t \n0'
    old, new = dice.choice(signs), dice.choice(signs)
    return content.replace(bytes([old]), bytes([new]), dice.choice((1, -1)))


def _renamed(dice: random.Random, name: str, content: bytes) -> tuple[str, bytes]:
    extension = dice.choice(
        (".jsonl", ".csv", ".tsv", ".txt", ".npz", ".parquet", ".jsonl.gz", ".CSV", "", ".json", ".gz")
    )
    return f"d{extension}", content


def _packed(dice: random.Random, name: str, content: bytes) -> tuple[str, bytes]:
    """Gzip where none belongs, twice, with a wrong checksum or other bytes behind it."""
    packed = gzip.compress(content, mtime=0)
    kind = dice.choice(("plain name", "gz name", "crc", "size", "trailing", "two members"))
    if kind == "plain name":
        return name, packed
    name = name if name.endswith(".gz") else f"{name}.gz"
    if kind in ("crc", "size"):
        place = -8 if kind == "crc" else -4
        changed = bytearray(packed)
        changed[place] ^= 255
        return name, bytes(changed)
    return name, packed + {"trailing": b"trailing", "two members": packed, "gz name": b""}[kind]


MUTATIONS = (
    _flip, _cut, _append, _plain(_lines_changed), _plain(_lines_changed), _plain(_recoded), _plain(_structure),
    _plain(_structure), _renamed, _packed,
)  # fmt: skip
