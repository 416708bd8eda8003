"""No model is lost, mixed or left half-written when savers are killed or run together; the long form is a command.

``python tests/hostile/savers.py --kills 100 --seconds 10 --seed 0``
"""

import sys

import pytest
from savers import failures, kill_saves, kill_trainings, race

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks and SIGKILL are of POSIX")


def test_killed_saves():
    counts = kill_saves(10, 1)
    assert not failures(counts)
    assert counts["killed"] == 10
    assert counts["loaded"] >= 4


def test_killed_trainings():
    counts = kill_trainings(4, 1)
    assert not failures(counts)
    assert counts["old model"] + counts["new model"] == 4


def test_savers_beside_readers():
    counts = race(2, 1)
    assert not failures(counts)
    assert counts["saves"] > 4
    assert counts["loads"] > 4
