r"""Settings of n-grams, and the table of code points for the kernels.

The table maps each code point to its lower case and its class (``\w``, ``\s``) in the running Python, so that the
kernels find exactly the words that ``re`` finds, for any version of Unicode.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ramify.checks import CheckedWhenMade, Pair, Rules, YesNo
from ramify.errors import InputError

MAX_GRAM_LENGTH = 16
"""Longest n-gram, of words or of characters."""

MAX_TEXT_LENGTH = 1 << 27
"""Characters of one text: positions in the kernels are 32 bits wide."""

CODE_POINT_MASK = 0x1FFFFF
WORD_BIT = 1 << 21
SPACE_BIT = 1 << 22
RUN_BIT = 1 << 23

RUN_SCRIPTS = (
    (0x0900, 0x0DFF), (0x0E00, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x20000, 0x3FFFF),
)  # fmt: skip
r"""Code points, first and last, of the scripts whose words ``\b\w\w+\b`` does not find: India, South-East Asia with
Tibet, Khmer, kana, Han. Their letters, marks and digits form runs."""


@dataclass(frozen=True, kw_only=True)
class Grams(CheckedWhenMade):
    r"""Settings of the n-grams of a text.

    Parameters
    ----------
    words : (int, int) or None, default (1, 2)
        Shortest and longest n-gram of words; a word is a run of two or more word characters (``\b\w\w+\b``).
    characters : (int, int) or None, default None
        Shortest and longest n-gram of characters.
    runs : (int, int) or None, default None
        Shortest and longest n-gram of characters in runs of the scripts in ``RUN_SCRIPTS``. Words then end where a run
        begins. An n-gram that ``characters`` has as well is counted by both.
    within_words : bool, default True
        Character n-grams stay within white-space separated words, padded with a blank on either side
        (scikit-learn's "char_wb"); False: they run across (its "char").
    lowercase : bool, default True
        Apply ``str.lower`` first.

    Raises
    ------
    InputError
        Neither words nor characters, or lengths that are not 1 <= shortest <= longest <= 16.
    """

    words: tuple[int, int] | None = (1, 2)
    characters: tuple[int, int] | None = None
    runs: tuple[int, int] | None = None
    within_words: bool = True
    lowercase: bool = True

    RULES: ClassVar[Rules] = {
        "words": Pair(1, MAX_GRAM_LENGTH, optional=True),
        "characters": Pair(1, MAX_GRAM_LENGTH, optional=True),
        "runs": Pair(1, MAX_GRAM_LENGTH, optional=True),
        "within_words": YesNo(),
        "lowercase": YesNo(),
    }

    def check_settings(self) -> None:
        """Raise InputError if a setting is out of its range, or no n-gram is selected."""
        super().check_settings()
        if self.words is None and self.characters is None:
            raise InputError(
                "words and characters are both None, so no text has features: give one a range like (1, 2)"
            )


@cache
def character_table(*, lowercase: bool, ascii_only: bool, runs: bool = False) -> npt.NDArray[np.uint32]:
    """Per code point its lower case (or itself) plus ``WORD_BIT`` and ``SPACE_BIT`` of that.

    With ``runs``, letters, marks and digits of the scripts in ``RUN_SCRIPTS`` have ``RUN_BIT`` in place of
    ``WORD_BIT``. The table of all of Unicode takes about 50 ms and is made once.

    Returns
    -------
    uint32 array, shape (128,) or (0x110000,)
    """
    size = 128 if ascii_only else sys.maxunicode + 1
    every = np.arange(size, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    classes = np.zeros(size, np.uint32)
    for pattern, bit in ((r"\w+", WORD_BIT), (r"\s+", SPACE_BIT)):
        for run in re.finditer(pattern, every):
            classes[run.start() : run.end()] = bit
    for first, last in RUN_SCRIPTS if runs and not ascii_only else ():
        in_run = [unicodedata.category(every[code])[0] in "LMN" for code in range(first, last + 1)]
        classes[first : last + 1][in_run] = RUN_BIT
    codes = np.arange(size, dtype=np.uint32)
    if lowercase:
        # İ has a lower case of two code points, and that of Σ depends on its neighbours: Python lowers texts with
        # them before the kernels read them, so the table does not change them.
        lowered = every.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()
        codes = np.frombuffer(lowered.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    table: npt.NDArray[np.uint32] = codes | classes[codes]
    table.setflags(write=False)
    return table
