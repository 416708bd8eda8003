"""Settings of a project, of a settings file and of a search: which of them a training has."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("annif", reason="Annif is not installed: make test-annif")

from annif.exception import NotInitializedException
from annif_projects import corpus_of

from ramify.annif import documents
from ramify.annif.parameters import Parameters
from ramify.errors import InputError


def tagger_of(given, language="fi", analyzed=False):
    return Parameters.of(given, language=language, analyzed=analyzed, threads=1).plan.tagger()


@pytest.fixture
def config(tmp_path):
    """Writes a settings file and returns its path as text."""

    def written(**content):
        path = tmp_path / "c.json"
        path.write_text(json.dumps(content))
        return str(path)

    return written


def test_members_of_a_settings_file_are_those_of_the_model_with_the_language(config):
    path = config(model="fusion", model_settings={"members": "xr-linear,lexical,lexical:language=sv"})
    wanted = "xr-linear,lexical:language=fi,lexical:language=sv"
    assert tagger_of({"config": path}).model.members == wanted
    assert tagger_of({"config": path, "preset": "library"}).model.members == wanted
    assert tagger_of({"config": path, "members": "lexical"}).model.members == "lexical:language=fi"


def test_a_language_of_a_settings_file_counts_as_given(config):
    tagger = tagger_of({"config": config(model="lexical", model_settings={"language": "sv"})})
    assert (tagger.model.language, tagger.vectorizer.language) == ("sv", "fi")
    tagger = tagger_of({"config": config(model="lexical", vectorizer_settings={"language": "sv"})})
    assert (tagger.model.language, tagger.vectorizer.language) == ("sv", "sv")
    first = {"kind": "tfidf", "language": "sv", "stemmer": "snowball"}
    path = config(vectorizer="tfidf+static", vectorizer_settings={"first": first})
    found = Parameters.of({"config": path}, language="fi", analyzed=True, threads=1).plan.parts["vectorizer"]
    assert (found.values["first"].values["language"], found.values["first"].values["stemmer"]) == ("sv", "snowball")


def test_a_settings_file_with_all_values_leaves_the_language_to_the_project(config):
    plan = Parameters.of({"model": "lexical"}, language="xx", analyzed=False, threads=1).plan
    tagger = tagger_of({"config": config(**plan.as_dict())})
    assert (tagger.model.language, tagger.vectorizer.language) == ("fi", "fi")


def test_the_language_of_the_model_does_not_reach_the_vectorizer():
    tagger = tagger_of({"model": "lexical", "model.language": "fi"}, language="en")
    assert (tagger.model.language, tagger.vectorizer.language) == ("fi", "en")
    tagger = tagger_of({"model": "lexical", "model.language": "fi"}, language="en", analyzed=True)
    assert (tagger.model.language, tagger.vectorizer.language) == ("fi", None)


def test_members_can_be_given_by_their_path():
    given = {"preset": "library", "model.members": "lexical,xr-linear"}
    assert tagger_of(given).model.members == "lexical:language=fi,xr-linear"
    with pytest.raises(InputError, match="set the same setting"):
        tagger_of(given | {"members": "lexical"})


def test_documents_of_early_versions_are_not_read(registry):
    project = registry.get_project("plain")
    project.train(corpus_of(project))
    path = project.backend._training_path
    assert "-train" in path.name == documents.FILE  # Annif's upload leaves it out
    path.rename(path.with_name("ramify-train.jsonl.gz"))
    with pytest.raises(NotInitializedException, match="train the project on a corpus first"):
        project.train("cached")
