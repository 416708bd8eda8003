"""Spelling of written strings: capitals, accents and blanks as in the label names."""

import numpy as np
import pytest

from ramify.generate.open_labels import NearestName, normalized
from ramify.generate.spelling import Spelling

NAMES = [
    "Art -- Italy -- 19th century",
    "Art -- Great Britain -- History",
    "United States -- History -- Revolution, 1775-1783",
    "Children's periodicals",
    "New York (N.Y.) -- Fiction",
    "Lönnrot, Elias, 1802-1884",
    "Short stories, Finnish",
    "Sea stories",
]


@pytest.fixture(scope="module")
def spelling():
    return Spelling(NAMES)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("art - - united states - - fiction", "Art -- United States -- Fiction"),
        ("italy - - history - - 1802 - 1848", "Italy -- History -- 1802-1848"),
        ("children ' s stories", "Children's stories"),
        ("art ( n. y. )", "Art (N.Y.)"),
        ("elias lonnrot", "Elias Lönnrot"),
        ("short fiction", "Short Fiction"),
        ("waterways - - greece", "Waterways -- Greece"),  # unknown words, by the words in their place
        ("sea waterways", "Sea waterways"),
        ("art / italy", "Art / Italy"),  # an unknown separator stays as it is
        ("  sea  ", "Sea"),
        ("", ""),
        ("- -", "--"),
        ("Sea Waterways -- greece", "Sea Waterways -- greece"),  # of a tokenizer that keeps capitals
        ("河川 - - history", "河川 -- History"),
    ],
)
def test_known_answers(spelling, written, wanted):
    assert spelling.of(written) == wanted


def test_every_name_is_restored(spelling):
    for name in NAMES:
        lost = normalized(name).replace("ö", "o")
        assert lost != name
        assert spelling.of(lost) == name


def test_names_in_lower_case_stay_so():
    spelling = Spelling(["green apple", "red pear", "red-green plum"])
    assert spelling.of("green pear") == "green pear"
    assert spelling.of("red - green unknown") == "red-green unknown"
    assert Spelling([]).of("green  pear - - blue") == "green  pear - - blue"


def test_the_same_neighbours_come_first():
    spelling = Spelling(["Jean-Paul", "Egg - raw", "Meat - cold", "Fairy tales", "Tales of sea", "Tales"])
    assert spelling.of("jean - paul") == "Jean-Paul"
    assert spelling.of("jean - raw") == "Jean - raw"
    assert spelling.of("fairy tales") == "Fairy tales"
    assert spelling.of("fairy - tales") == "Fairy - Tales"
    assert spelling.of("sea tales") == "Sea tales"  # a first word has a capital, as most do


def test_spelling_does_not_change_which_label_a_string_has(spelling):
    nearest = NearestName(NAMES, np.arange(len(NAMES)), 1.0)
    for label, name in enumerate(NAMES):
        assert nearest.label_of(nearest.spelling.of(normalized(name))) == label


def test_a_generator_proposes_names_in_the_spelling_of_the_others():
    from ramify.generate.decoding import Generated
    from ramify.generate.serving import ServingGenerator

    class Decoded(ServingGenerator):
        def __init__(self):
            """Without a network: the pieces of a label are its string."""

        def text_of(self, pieces):
            return pieces

    sequences = [
        Generated(("art - - fiction", "sea stories"), (-0.1, -0.2), -0.3, 5),
        Generated(("Art -- Fiction",), (-0.1,), -0.3, 5),
    ]
    labels, strings = Decoded().matched(sequences, NearestName(NAMES, np.arange(len(NAMES)), 1.0))
    assert [label for label, _ in labels] == [NAMES.index("Sea stories")]
    assert [name for name, _ in strings] == ["Art -- Fiction"]  # one proposal, with the score of both
    assert strings[0][1] == pytest.approx(2.718281828**-0.1)
