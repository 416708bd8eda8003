"""Budget of a run in steps or epochs, evaluations, early stopping, and learning rates."""

from dataclasses import asdict

import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from torchloop_tasks import Line, run, same, weights

from ramify.errors import InputError
from ramify.torchloop import History, LoopConfig


def test_stops_without_progress_and_keeps_the_best():
    task = Line()
    task.measures = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9])
    seen = []
    task.measure = lambda inner=task.measure: (seen.append(weights(task)), inner())[1]
    history, kept = run(task)
    assert [event.measure for event in history.evaluations] == [0.1, 0.5, 0.4, 0.3, 0.2]
    assert history.best == 1
    assert same(kept, seen[1])
    assert not same(kept, seen[2])


def test_stops_in_the_middle_of_an_epoch():
    task = Line()
    task.measures = iter([0.5, 0.4, 0.3, 0.9])
    history, _ = run(task, evaluate_every=1, patience=2)
    assert [(event.epoch, event.step) for event in history.evaluations] == [(0, 1), (0, 2), (0, 3)]


def test_no_measure_keeps_the_last():
    task = Line()
    task.measures = iter([float("nan")] * 6)
    history, _ = run(task)
    assert len(history.evaluations) == 6
    assert history.best == 5


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"epochs": 3}, [4, 8, 12]),
        ({"steps": 10}, [4, 8, 10]),
        ({"epochs": 3, "evaluate_every": 5}, [5, 10, 12]),
        ({"steps": 10, "evaluate_every": 5}, [5, 10]),
        ({"steps": 2}, [2]),
    ],
)
def test_budget_and_evaluations(settings, steps):
    history, _ = run(Line(), patience=100, **settings)
    assert [event.step for event in history.evaluations] == steps
    assert [event.epoch for event in history.evaluations] == [(step - 1) // 4 for step in steps]
    assert History.from_json(history.to_json()) == history


def test_a_history_of_an_older_model_directory():
    history = History.from_json([[0.5, "0.25", True], [0.4, "nan", False]])
    assert asdict(history.evaluations[0]) == {
        "epoch": 0,
        "step": 0,
        "loss": 0.5,
        "measure": 0.25,
        "best": True,
    }
    assert history.evaluations[1].epoch == 1


def test_the_same_budget_in_steps_and_in_epochs():
    assert same(run(Line(), epochs=3, warmup=1)[1], run(Line(), steps=12, warmup=4)[1])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"steps": 8, "warmup": 4}, [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]),
        ({"steps": 4, "final_rate": 0.2}, [1, 0.8, 0.6, 0.4]),
        ({"steps": 4, "decay": "constant", "warmup": 2, "final_rate": 0.2}, [0.5, 1, 1, 1]),
        ({"steps": 4, "decay": "cosine", "final_rate": 0.5}, [1, 0.75 + 0.25 * 0.5**0.5, 0.75, 0.75 - 0.25 * 0.5**0.5]),
        ({"steps": 4, "warmup": 2, "decay_start": 0}, [0.5, 0.75, 0.5, 0.25]),
        ({"steps": 4, "decay_start": 2}, [1, 1, 1, 0.5]),
        ({"epochs": 4, "warmup": 2}, [0.5, 1, 1, 0.5]),
    ],
)
def test_learning_rates(settings, expected):
    config = LoopConfig(**settings)
    rates = [config.rate(0.1, step, step + 1) for step in range(len(expected))]
    assert rates == pytest.approx([0.1 * share for share in expected])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("steps", 0),
        ("batch_size", 0),
        ("micro_batch", 0),
        ("learning_rate", 0),
        ("warmup", -1),
        ("warmup", 3),
        ("decay", "square"),
        ("final_rate", 2),
        ("clip", -1),
        ("evaluate_every", 0),
        ("checkpoint_every", 0),
        ("patience", 0),
        ("average", 1.0),
        ("seed", -1),
        ("weight_decay", "much"),
    ],
)
def test_settings_out_of_range(name, value):
    with pytest.raises(InputError, match=name):
        LoopConfig(**{"epochs": 2, name: value})


def test_exactly_one_budget():
    for settings in ({}, {"epochs": 1, "steps": 1}):
        with pytest.raises(InputError, match="exactly one"):
            LoopConfig(**settings)
