"""Open strings matched to labels: exact names, near names, repeated labels, and labels with equal tokens."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra torch")

from ramify.generate.answering import merged_scores, ranked_labels
from ramify.generate.decoding import Generated
from ramify.generate.open_labels import NearestName

NAMES = ["Water", "water", "Art -- Italy", "Fire of the north"]


def nearest(similarity=0.8, labels=(1, 2, 3)):
    return NearestName(NAMES, np.array(labels), similarity)


def test_names_up_to_case_and_blanks():
    assert nearest(1.0).label_of("art - - italy") == 2
    assert nearest(1.0).label_of("  WATER ") == 1
    assert nearest(1.0).label_of("art italy") is None


def test_near_names():
    assert nearest().label_of("fires of the north") == 3
    assert nearest().label_of("something else") is None
    assert nearest(0.99).label_of("fires of the north") is None


def test_scores_are_merged_over_sequences():
    first = Generated((0, 1), (np.log(0.5), np.log(0.2)), np.log(0.3), 4)
    second = Generated((1,), (np.log(0.4),), np.log(0.1), 2)
    assert merged_scores([first, second]) == pytest.approx({0: 0.75 * 0.5, 1: 0.75 * 0.2 + 0.25 * 0.4})
    top = ranked_labels([[first, second], []], 3)
    assert top.labels.tolist() == [[0, 1, -1], [-1, -1, -1]]


def test_a_repeated_label_counts_once():
    repeated = Generated(((2,), (2,), (2,)), (-1.0, -1.0, -1.0), -3.0, 6)
    assert merged_scores([repeated]) == pytest.approx({(2,): np.exp(-1)})
    named = {(2,): 7, (3,): 7, (4,): None}.get
    sequence = Generated(((2,), (3,), (4,)), (-1.0, -0.5, -0.1), -3.0, 6)
    assert merged_scores([sequence], named) == pytest.approx({7: np.exp(-1)})
