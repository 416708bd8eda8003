"""The one-pass check of a string table refuses exactly what decoding string by string refuses."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramify.errors import InputError
from ramify.strings import StringTable

WHOLE = [b"a", "é".encode(), "€".encode(), "🐟".encode(), b"\xed\xa0\x80"]
BROKEN = [b"\xc3", b"\xa9", b"\x80", b"\xff", b"\xe2\x82"]


@given(
    pieces=st.lists(st.sampled_from([*WHOLE, *WHOLE, *BROKEN]), max_size=7), cuts=st.lists(st.floats(0, 1), max_size=4)
)
def test_the_check_equals_decoding_each_string(pieces, cuts):
    blob = b"".join(pieces)
    offsets = np.array([0, *sorted(round(cut * len(blob)) for cut in cuts), len(blob)], np.int64)
    table = StringTable(np.frombuffer(blob, np.uint8), offsets)
    broken = []
    for number, (first, last) in enumerate(itertools.pairwise(offsets)):
        try:
            blob[first:last].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            broken.append(number)
    if not broken:
        table.check()
        return
    with pytest.raises(InputError, match=r"string \d+ is not valid UTF-8"):
        table.check()
