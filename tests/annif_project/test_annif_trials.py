"""A trial of ``annif hyperopt`` trains what it reports, and its lines give a project these settings."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("annif", reason="Annif is not installed: make test-annif")

from ramify.annif.choices import PATHS, PROJECT
from ramify.annif.optimizer import Search
from ramify.cli.settings import shown
from ramify.values import Dataset

N_LABELS = 600  # so many that trees have clusters


class Trial:
    """Chooses the wanted values, or else the first ones or random ones."""

    def __init__(self, wanted=None, seed=None):
        self.wanted, self.params = wanted or {}, {}
        self.rng = None if seed is None else random.Random(seed)

    def suggest_categorical(self, name, values):
        usual = values[0] if self.rng is None else self.rng.choice(values)
        self.params[name] = self.wanted.get(name, usual)
        assert self.params[name] in values, (name, values)
        return self.params[name]


@pytest.fixture
def search_of(registry, monkeypatch):
    """A search of a project with given settings."""

    monkeypatch.setattr("ramify.tuning.space.find_spec", lambda name: name)  # with static vectors

    project = registry.get_project("plain")
    usual = dict(project.backend.config_params)

    def made(given):
        project.backend.config_params = usual | given
        Y, names = sp.csr_matrix(np.eye(N_LABELS, dtype=np.float32)), [f"label {n}" for n in range(N_LABELS)]
        data = Dataset(Y=Y, texts=["water and wood"] * N_LABELS, label_names=names)
        return Search(backend=project.backend, training=data, texts=[], truth=[], metric="F1@5", threads=1)

    return made


def trained(search, trial):
    """The lines of a trial, and the values of its plan by full path."""
    lines = search.changes(trial)
    parts = search.backend.parameters({**search.backend.params, **lines}).plan.parts
    found = {f"{kind}.{path}": one for kind, part in parts.items() for path, one in part.paths().items()}
    return lines, {path: part.values[setting.name] for path, (part, setting) in found.items()}


def test_a_chosen_default_replaces_another_value_of_the_project(search_of, tmp_path):
    lines, values = trained(search_of({"loss": "logistic"}), Trial())
    assert (lines, values["model.loss"]) == ({"loss": "squared-hinge"}, "squared-hinge")
    assert search_of({"loss": "logistic"}).tagger(Trial()).model.loss == "squared-hinge"
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"model_settings": {"loss": "logistic", "beam": 20}}))
    search = search_of({"loss": "logistic", "config": str(path)})
    lines, values = trained(search, Trial({"beam": 20}))
    assert lines == {"loss": "squared-hinge"} and values["model.beam"] == 20


def test_a_chosen_default_replaces_a_value_of_the_preset(search_of):
    lines, values = trained(search_of({"preset": "fast"}), Trial())
    assert lines["path_weight"] == "0.25" and values["model.path_weight"] == 0.25
    assert values["model.epsilon"] == 0.5  # reported as "project"
    assert trained(search_of({"preset": "fast"}), Trial({"path_weight": 0.75}))[1]["model.path_weight"] == 0.75


def test_models_with_a_few_values_have_chosen_defaults(search_of):
    lines, values = trained(search_of({"model": "lexical", "model.documents": "1000", "derive": "no"}), Trial())
    assert lines == {"model.documents": "3000", "derive": "yes"}
    assert values["model.documents"] == 3000 and values["model.derive"] is True


def test_lines_have_the_names_of_the_project(search_of):
    lines, values = trained(search_of({"model.epsilon": "0.3"}), Trial({"epsilon": 0.1}))
    assert lines == {"model.epsilon": "0.1"} and values["model.epsilon"] == 0.1
    lines, values = trained(search_of({"trees": "5", "min_df": "2"}), Trial({"xr.trees": 3, "min_df": 1}))
    assert lines == {"trees": "3", "min_df": "1"}
    assert values["ensemble.trees"] == 3 and values["vectorizer.min_df"] == 1


def test_other_settings_with_the_same_last_name_stay(search_of):
    search = search_of({"disentangled.copies": "2", "disentangled.beam": "30"})
    lines, values = trained(search, Trial({"beam": 40}))
    assert lines == {"beam": "40"}
    assert (values["model.beam"], values["disentangled.beam"]) == (40, 30)


def test_values_of_the_project_can_be_chosen(search_of):
    search = search_of({"max_leaf": "3", "tail_cost": "0.33", "cost_negative": "0.7"})
    trial = Trial({"tail_cost": 0.33})
    lines, values = trained(search, trial)
    assert lines == {} and trial.params["max_leaf"] == trial.params["cost"] == PROJECT
    assert (values["model.max_leaf"], values["model.tail_cost"], values["model.cost_negative"]) == (3, 0.33, 0.7)


def test_an_ensemble_with_settings_keeps_several_trees(search_of):
    lines, values = trained(search_of({"trees": "4", "combine": "rank"}), Trial())
    assert values["ensemble.trees"] == 3 and lines["trees"] == "3"


PROJECTS = [
    {},
    {"loss": "logistic", "model.tail-cost": "0.1", "vectorizer.sublinear": "no"},
    {"preset": "fast", "characters": "3,4"},
    {"preset": "tail", "vectorizer.min_df": "3"},
    {"model": "blend", "trees": "4", "model.tail_rank": "0.3"},
    {"model": "xr-linear", "vectorizer": "tfidf+static", "ensemble.trees": "2"},
    {"min_df": "3", "model": "xr-linear", "loss": "logistic"},
    {"model": "nearest-texts", "neighbours": "12", "model.power": "2"},
    {"model": "nearest-instances", "power": "4"},
]


OFF = {"sublinear": False}
PARSED = {"1-2": (1, 2), "4-4": (4, 4)}


@pytest.mark.parametrize("given", PROJECTS, ids=str)
def test_every_reported_value_is_trained(search_of, given):
    search = search_of(given)
    for seed in range(12):
        reported = Trial(seed=seed)
        search.changes(reported)
        _, values = trained(search, Trial(reported.params))
        chosen = {name: value for name, value in reported.params.items() if value not in ("none", PROJECT)}
        if "cost" in chosen:
            assert values["model.cost_negative"] == chosen["cost"]
            assert values["model.cost_positive"] == chosen.pop("cost") * chosen["cost_ratio"]
        inside = "vectorizer.first." if reported.params.get("static") else "vectorizer."
        for name, value in chosen.items():
            for path in PATHS.get(name, (f"model.{name}",)):
                found = values[path.replace("vectorizer.", inside)]
                wanted = OFF.get(name) if value == "off" else PARSED.get(value, value)
                assert found == wanted or shown(found) == wanted, (name, value)
