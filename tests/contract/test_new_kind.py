"""A new kind of model: a class and one catalogue entry put it everywhere."""

import json
import runpy
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import ramify
from ramify import TopK, catalogue
from ramify.checks import Real, Rules
from ramify.cli.entry import run
from ramify.models.base.model import RankingModel, best_labels
from ramify.values import as_csr

TEXTS = ["river lake", "lake rain", "flame smoke", "smoke heat"] * 5
LABELS = [["water"], ["water"], ["fire"], ["fire"]] * 5


class Prototypes(RankingModel):
    """Scores a label by the product of the instance and the label's mean instance, to a power.

    Parameters
    ----------
    power : float, default 1
        Power of the products.
    """

    RULES: ClassVar[Rules] = {"power": Real(0.1, 10)}
    FLAGS = ("power",)

    def __init__(self, *, power=1.0):
        self.power = power

    def _learn(self, training):
        self.set_means(np.asarray((training.Y.T @ training.X).todense(), np.float32))

    def set_means(self, means):
        self.means_, (self.n_labels_, self.n_features_in_) = means, means.shape
        return self

    def _rank(self, request) -> TopK:
        return best_labels(as_csr(np.asarray(request.X @ self.means_.T) ** self.power), request.k)

    def to_state(self):
        return {"settings": self.get_params()}, {"means": self.means_}

    @classmethod
    def from_state(cls, config, arrays):
        return cls(**config["settings"]).set_means(arrays["means"])


@pytest.fixture
def entry(monkeypatch):
    new = catalogue.Entry(
        name="Prototypes",
        module=__name__,
        roles={catalogue.MODEL: "prototypes", catalogue.MATCHER: "prototypes"},
        summary="Products with the labels' mean instances.",
    )
    monkeypatch.setattr(catalogue, "ENTRIES", [*catalogue.ENTRIES, new])


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.jsonl"
    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in zip(TEXTS, LABELS, strict=True)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def test_the_command_line_trains_saves_answers_measures_and_shows_it(entry, data, tmp_path, capsys):
    model = str(tmp_path / "m")
    assert run(["train", data, "--model", "prototypes", "--power", "2", "--out", model, "-q"]) == 0
    loaded = ramify.load(model)  # no parts= needed
    assert type(loaded.model_).__name__ == "Prototypes"
    assert loaded.model_.power == 2
    assert [row[0][0] for row in loaded.tag(TEXTS, 1)] == [labels[0] for labels in LABELS]
    for arguments in (["predict", model, data], ["evaluate", model, data], ["inspect", model]):
        assert run(arguments) == 0
    assert "Prototypes" in capsys.readouterr().out


def test_it_is_trained_in_ensembles_and_as_a_matcher(entry, data, tmp_path):
    model = str(tmp_path / "m")
    assert run(["train", data, "--model", "partitioned", "--matcher", "prototypes", "--out", model, "-q"]) == 0
    assert type(ramify.load(model).model_.matcher_).__name__ == "Prototypes"


def test_help_settings_and_documentation_list_it(entry, capsys):
    assert run(["train", "--model", "prototypes", "--help"]) == 0
    assert "--power" in capsys.readouterr().out
    assert run(["settings", "prototypes"]) == 0
    assert "Power of the products" in capsys.readouterr().out
    hook = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "hooks" / "catalogue.py"))
    page = hook["on_page_markdown"]("<!-- catalogue: model -->")
    assert "| `prototypes` | `Prototypes` | Products with the labels' mean instances. |  |" in page
    assert "`xr-linear`" in page
