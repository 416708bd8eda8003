"""Models that use texts and names in a real Annif: language, analyzer, vocabulary, hyperparameters."""

from __future__ import annotations

import pytest

pytest.importorskip("annif", reason="Annif is not installed: make test-annif")

from annif.corpus import Document
from annif.exception import ConfigurationException, NotSupportedException
from annif.vocab import VocabFileSKOS
from annif_projects import WORDS, best, corpus_of, uri

from ramify.annif.analysis import Analyzed
from ramify.annif.optimizer import SPACES
from ramify.annif.parameters import Parameters
from ramify.errors import RamifyWarning
from ramify.kernels.text import checked_texts
from ramify.tagger import Tagger

LIBRARY = {"model": "fusion", "members": "xr-linear,nearest-texts:power=2,lexical,lexical:language=sv"}


def model_of(given, language="fi", analyzed=False):
    tagger = Parameters.of(given, language=language, analyzed=analyzed, threads=1).plan.tagger()
    return tagger, tagger.model


def test_the_language_of_the_project_reaches_models_and_members():
    assert model_of({"model": "lexical"})[1].language == "fi"
    assert model_of({"model": "lexical"}, analyzed=True)[1].language == "fi"
    assert model_of({"model": "nearest-texts"})[1]._unfitted_vectorizer().language == "fi"
    members = "xr-linear,nearest-texts:power=2:language=fi,lexical:language=fi,lexical:language=sv"
    assert model_of(LIBRARY)[1].members == members
    wanted = "xr-linear,nearest-instances,nearest-texts:label_share=1:language=fi,lexical:language=fi"
    assert model_of({"preset": "library"})[1].members == wanted


def test_a_language_that_is_given_has_precedence():
    assert model_of({"model": "lexical", "model.language": "sv"})[1].language == "sv"
    tagger, model = model_of({"model": "fusion", "members": "lexical", "vectorizer.language": "sv"})
    assert (tagger.vectorizer.language, model.members) == ("sv", "lexical:language=sv")
    assert model_of({"model": "lexical"}, language="xx")[1].language == "auto"
    assert model_of({"model": "fusion"})[1].members is None
    assert model_of({})[0].vectorizer.language == "fi"


def test_models_that_use_texts_get_the_original_ones(registry, monkeypatch):
    project = registry.get_project("lexical")
    seen = []
    monkeypatch.setattr(Tagger, "fit_dataset", lambda self, dataset, **_: seen.append((self, dataset)) or self)
    monkeypatch.setattr(Tagger, "save", lambda *_: None)
    monkeypatch.setattr("ramify.annif.backend.detached", lambda tagger: tagger)
    original = Document(text="Joet. AND Rivers!", subject_set=next(iter(corpus_of(project).documents)).subject_set)
    corpus = corpus_of(project)
    corpus._documents = [original]
    project.train(corpus)
    [(tagger, dataset)] = seen
    assert dataset.texts == ["Joet. AND Rivers!"]
    assert tagger.model.language == "fi"
    registry.get_project("analyzed").train(corpus)
    assert seen[1][1].texts == ["joet and rivers"]


def test_a_fusion_has_the_words_of_the_analyzer_and_the_original_texts(registry, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "ramify.models.lexical.matcher.checked_texts", lambda texts: seen.extend(texts) or checked_texts(texts)
    )
    project = registry.get_project("analyzed-library")
    corpus = corpus_of(project, 60)  # so few that both members stay in the fusion
    corpus._documents = [Document(text=f"{one.text}!".upper(), subject_set=one.subject_set) for one in corpus.documents]
    with pytest.warns(RamifyWarning, match="equal weights"):
        project.train(corpus, jobs=1)
    assert all(text.isupper() and text.endswith("!") for text in seen) and len(seen) >= 60
    assert best(project, "A FLOOD of the streams near the banks.")[0] == "rivers"
    tagger = project.backend._tagger
    assert isinstance(tagger.vectorizer_, Analyzed)
    assert tagger.vectorizer_.vectorizer.plan_.stemmer is None
    assert "flood" in tagger.vectorizer_.vectorizer.vocabulary_
    assert not isinstance(Tagger.load(project.backend._model_path).vectorizer_, Analyzed)
    document = Document(text="The dough is in the ovens.")
    project.suggest([document], {"ramify": {"reasons": "yes"}})
    assert {word for word, _ in document.metadata["ramify"][uri("bread")]} & {"dough", "oven"}


def test_alternative_names_of_the_vocabulary_find_subjects(registry, tmp_path):
    path = tmp_path / "topics.ttl"
    concepts = (f'<{uri(name)}> a s:Concept ; s:prefLabel "{name}"@en ; s:altLabel "x{name}x"@en .' for name in WORDS)
    path.write_text("\n".join(["@prefix s: <http://www.w3.org/2004/02/skos/core#> .", *concepts]))
    registry.get_vocab("topics").load_vocabulary(VocabFileSKOS(str(path)), force=True)
    project = registry.get_project("library")
    project.train(corpus_of(project))
    assert best(project, "about xunusedx")[0] == "unused"


@pytest.mark.parametrize("model", [*SPACES, "blend"])
def test_the_space_of_the_model_is_searched(registry, model):
    project = registry.get_project("plain")
    project.backend.config_params["model"] = model
    project.train(corpus_of(project))
    found = project.hyperopt(corpus_of(project, 60, seed=1), trials=2, jobs=1, metric="NDCG@5", results_file=None)
    lines = dict(line.split("=", 1) for line in found.lines)
    assert lines == {"model": model} or lines.get("model", model) == model
    if model in SPACES:
        assert lines.keys() <= {*SPACES[model], "model"}
    project.train("cached", {"ramify": lines})  # the lines are valid settings of a project
    assert best(project, "rivers with a flood of water over the bank")[0] == "rivers"


def test_a_model_without_a_space_is_refused_before_a_trial(registry):
    project = registry.get_project("library")
    with pytest.raises(NotSupportedException, match="no search space for the model fusion: choose one of xr-linear"):
        project.hyperopt(corpus_of(project), trials=1, jobs=1, metric="F1@5", results_file=None)


def test_inconsistent_settings_are_one_sentence(registry):
    project = registry.get_project("plain")
    with pytest.raises(ConfigurationException, match="the member 'lexicl'"):
        project.train(corpus_of(project), {"ramify": {"model": "fusion", "members": "lexicl"}})


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_trial_has_the_settings_of_the_project(registry, monkeypatch, jobs):
    project = registry.get_project("analyzed")
    project.backend.config_params.update({"max_leaf": "3", "vectorizer.min_df": "1"})
    project.train(corpus_of(project))
    fit, wrong = Tagger.fit_dataset, []

    def checked(self, dataset, **given):
        if self.vectorizer.stemmer is not None or self.vectorizer.min_df is None or "The" in dataset.texts[0]:
            wrong.append(self)
            raise AssertionError
        return fit(self, dataset, **given)

    monkeypatch.setattr(Tagger, "fit_dataset", checked)
    found = project.hyperopt(corpus_of(project, 60, seed=1), trials=2, jobs=jobs, metric="F1@5", results_file=None)
    assert found.score > 0 and not wrong
    assert not any(line in ("model=blend", "vectorizer=tfidf+static") for line in found.lines)
