"""The demo answers questions that were written before it was tuned."""

from __future__ import annotations

import numpy as np
import pytest
from demo_questions import HELD_OUT, TUNING

from ramify import Tagger
from ramify.demo import demo_dataset, demo_tagger
from ramify.values import Dataset


@pytest.fixture(scope="module")
def train() -> Dataset:
    return demo_dataset(cache=False)[0]


def n_answered(tagger: Tagger) -> int:
    """Questions with a right answer among the first five."""
    return sum(any(name in right for name, _ in tagger.tag([asked], 5)[0]) for asked, right in TUNING + HELD_OUT)


def test_a_right_answer_is_among_the_first_five_for_three_questions_of_four(train):
    assert len({asked for asked, _ in TUNING + HELD_OUT}) == 40
    answered = n_answered(demo_tagger().fit_dataset(train))
    is_use = [train.labels_of(row) != [function] for row, function in enumerate(train.ids or ())]
    without_descriptions = n_answered(demo_tagger().fit_dataset(train.take(np.flatnonzero(is_use))))
    assert answered >= 30 > without_descriptions
