"""The back end in a real Annif: registration, training, suggestions, processes, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("annif", reason="Annif is not installed: make test-annif")

import annif.backend
import annif.parallel
from annif.corpus import Document, DocumentList, SubjectSet
from annif.eval import EvaluationBatch
from annif.exception import (
    ConfigurationException,
    NotInitializedException,
    NotSupportedException,
    OperationFailedException,
)
from annif.registry import AnnifRegistry
from annif.vocab import VocabFileSKOS
from annif_projects import TRAINED, WORDS, best, corpus_of, uri, vocabulary_file
from scipy.sparse import csr_matrix

import ramify.annif
from ramify.annif.backend import MODEL, RamifyBackend
from ramify.tagger import Tagger
from ramify.values import Dataset


@pytest.fixture
def project(registry):
    return registry.get_project("plain")


def measured(project, metric="F1@5", threshold=0.0):
    corpus, batch = corpus_of(project, 60, seed=1), EvaluationBatch(project.subjects)
    texts = list(corpus.documents)
    batch.evaluate_many(project.suggest(texts).filter(5, threshold), [one.subject_set for one in texts])
    return batch.results(metrics=[metric])[metric]


def test_the_back_end_is_registered():
    assert annif.backend.get_backend("ramify") is RamifyBackend
    assert ramify.annif.ProductionConfig.INITIALIZE_PROJECTS
    assert not ramify.annif.DevelopmentConfig.INITIALIZE_PROJECTS


@pytest.mark.parametrize("name", ["plain", "analyzed", "settings", "preset", "calibrated"])
def test_training_finds_the_subjects(registry, name):
    project = registry.get_project(name)
    assert not project.is_trained
    project.train(corpus_of(project), jobs=1)
    assert project.is_trained
    assert project.modification_time is not None
    assert best(project, "a flood of water over the bank")[0] == "rivers"
    assert measured(project, "NDCG@5") > 0.95


def test_suggestions_are_an_array_by_subject(project):
    project.train(corpus_of(project))
    texts = ["flour and yeast in the oven", "", "   ", "choir song"]
    found = project.suggest([Document(text=text) for text in texts]).array
    assert found.shape == (4, len(project.subjects))
    assert found.dtype == np.float32
    assert found.data.min() > 0 and found.data.max() <= 1
    assert np.diff(found.indptr).tolist() == [5, 0, 0, 5]  # limit=5; texts without words get nothing
    one = project.suggest([Document(text=texts[0])]).array
    assert (found[[0], :] != one).nnz == 0


def test_the_limit_can_be_changed(project):
    project.train(corpus_of(project))
    found = project.suggest([Document(text="comet light")], {"ramify": {"limit": "2"}})
    assert len(found[0]) == 2
    assert len(project.suggest([Document(text="comet light")], {"ramify": {"limit": 0}})[0]) == 0
    assert len(project.suggest([], {})) == 0


def test_settings_of_the_project_reach_the_model(registry):
    project = registry.get_project("settings")
    project.train(corpus_of(project))
    project.backend.initialize()
    tagger = project.backend._tagger
    assert tagger.model_.max_leaf == 2
    assert tagger.model_.seed == 3
    assert tagger.vectorizer_.characters == (3, 4)
    assert tagger.vectorizer_.language == "en"
    assert sorted(tagger.label_names_) == sorted(WORDS)
    assert sorted(tagger.label_keys_) == sorted(map(uri, WORDS))


def test_models_that_use_names_receive_the_vocabulary(registry, tmp_path):
    path = tmp_path / "topics.ttl"
    concepts = (f'<{uri(name)}> a s:Concept ; s:prefLabel "{name}"@en ; s:altLabel "all {name}"@en .' for name in WORDS)
    path.write_text("\n".join(["@prefix s: <http://www.w3.org/2004/02/skos/core#> .", *concepts]))
    registry.get_vocab("topics").load_vocabulary(VocabFileSKOS(str(path)), force=True)
    project = registry.get_project("plain")

    class Model:
        needs = frozenset({"X", "label_names"})

        def fit(self, X, Y):
            return self

        def predict_topk(self, X, k):
            return None

    dataset = Dataset(
        Y=csr_matrix(np.eye(2, dtype=np.float32)),
        texts=["a", "b"],
        label_names=["stars", "bread"],
        label_keys=[uri("stars"), uri("bread")],
    )
    found = project.backend._with_vocabulary(dataset, Tagger(Model())).vocabulary
    assert found.names_in("en") == ["stars", "bread"]
    assert found.alternatives_in("en") == [("all stars",), ("all bread",)]
    assert project.backend._with_vocabulary(dataset, Tagger()).vocabulary is None


def test_words_of_the_analyzer_are_not_stemmed_again(registry):
    project = registry.get_project("analyzed")
    project.train(corpus_of(project))
    project.backend.initialize()
    assert project.backend._tagger.vectorizer_.plan_.stemmer is None
    assert project.backend.prepared("The FLOOD, of water!") == "the flood water"


def test_training_again_with_cached_documents(project, registry):
    with pytest.raises(NotInitializedException, match="train the project on a corpus first"):
        project.train("cached")
    project.train(corpus_of(project))
    first = best(project, "moss on a tree")
    project.train("cached", {"ramify": {"max_leaf": "3"}})
    project.backend.initialize()
    assert project.backend._tagger.model_.max_leaf == 3
    assert best(project, "moss on a tree")[0] == first[0] == "forests"


def test_scores_of_a_calibrated_project_are_probabilities(registry):
    project = registry.get_project("calibrated")
    project.train(corpus_of(project))
    array = project.suggest(list(corpus_of(project, 60, seed=1).documents)).array
    truth = sum(len(one.subject_set) for one in corpus_of(project, 60, seed=1).documents)
    assert array.sum() == pytest.approx(truth, rel=0.25)


def test_reasons_are_in_the_metadata(registry):
    project = registry.get_project("reasons")
    project.train(corpus_of(project))
    document = Document(text="dough in the oven")
    project.suggest([document])
    words = [word for word, _ in document.metadata["ramify"][uri("bread")]]
    assert set(words) & {"dough", "oven"}
    project.suggest([document], {"ramify": {"reasons": "no"}})


def test_deprecated_and_excluded_subjects_are_not_suggested(project, registry, tmp_path):
    project.train(corpus_of(project))
    assert best(project, "a flood of water")[0] == "rivers"
    kept = [name for name in WORDS if name != "rivers"]
    registry.get_vocab("topics").load_vocabulary(vocabulary_file(tmp_path, kept))
    project._subject_index = project.backend._tagger = None  # as in a new process
    found = best(project, "a flood of water")
    assert "rivers" not in found and len(found) == 5


def test_excluded_subjects_are_not_learnt(registry):
    project = registry.get_project("excluding")
    project.train(corpus_of(project))
    assert "rivers" not in best(project, "a flood of water over the bank")
    project.backend.initialize()
    assert uri("rivers") not in list(project.backend._tagger.label_keys_)


def test_a_model_of_another_vocabulary_is_refused(project, registry, tmp_path):
    project.train(corpus_of(project))
    registry.get_vocab("topics").load_vocabulary(vocabulary_file(tmp_path, ["elsewhere"]), force=True)
    again = AnnifRegistry(str(tmp_path / "projects.cfg"), str(tmp_path / "data"), init_projects=False)
    with pytest.raises(OperationFailedException, match="is a subject of the project's vocabulary"):
        best(again.get_project("plain"), "water")


def test_processes_give_the_same_suggestions(registry, monkeypatch):
    project = registry.get_project("plain")
    project.train(corpus_of(project))
    wanted = project.suggest(list(corpus_of(project, 20, seed=2).documents)).array
    for method in ("fork", "spawn"):
        monkeypatch.setattr(annif.parallel, "MP_START_METHOD", method)
        mapped = annif.parallel.ProjectSuggestMap(registry, ["plain"], None, 5, 0.0)
        jobs, pool_class = annif.parallel.get_pool(2)
        with pool_class(jobs) as pool:
            [(found, _)] = pool.map(mapped.suggest_batch, [list(corpus_of(project, 20, seed=2).documents)])
        assert (found["plain"].array != wanted).nnz == 0, method


def test_hyperparameters_are_searched_on_a_corpus(project, registry):
    with pytest.raises(NotInitializedException, match="train the project on a corpus first"):
        project.hyperopt(corpus_of(project, 60, seed=1), trials=1, jobs=1, metric="F1@5", results_file=None)
    project.train(corpus_of(project))
    found = project.hyperopt(corpus_of(project, 60, seed=1), trials=3, jobs=1, metric="NDCG@5", results_file=None)
    assert found.score > 0.9
    lines = dict(line.split("=", 1) for line in found.lines)
    project.train("cached", {"ramify": lines})  # the lines are valid settings of a project
    assert measured(project, "NDCG@5") > 0.9


def test_unknown_settings_are_one_sentence(registry):
    project = registry.get_project("misspelt")
    with pytest.raises(ConfigurationException) as caught:
        project.train(corpus_of(project))
    message = caught.value.format_message()
    assert "max_leef" in message and "did you mean 'max_leaf'?" in message and "--" not in message
    assert not project.is_trained


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"calibrate": "maybe"}, "calibrate is 'maybe', but must be yes or no"),
        ({"seed": "-1"}, "seed is '-1'"),
        ({"preset": "bset"}, "best"),
        ({"model": "xr-liner"}, "xr-linear"),
    ],
)
def test_bad_values_are_one_sentence(project, given, wanted):
    with pytest.raises(ConfigurationException) as caught:
        project.train(corpus_of(project), {"ramify": given})
    assert wanted in caught.value.format_message()


def test_bad_values_of_suggestions_are_one_sentence(project):
    project.train(corpus_of(project))
    for given in ({"limit": "many"}, {"reasons": "sometimes"}):
        with pytest.raises(ConfigurationException, match="but must be"):
            project.suggest([Document(text="water")], {"ramify": given})


def test_a_corpus_without_documents_or_subjects_is_refused(project):
    with pytest.raises(NotSupportedException, match="no documents"):
        project.train(DocumentList([]))
    with pytest.raises(NotSupportedException, match="no training document has a text and a subject"):
        project.train(DocumentList([Document(text="water"), Document(text=" ", subject_set=SubjectSet([0]))]))
    assert not project.is_trained


def test_an_untrained_project_and_a_damaged_model_are_one_sentence(project):
    with pytest.raises(NotInitializedException):
        project.backend.suggest([Document(text="water")])
    project.train(corpus_of(project))
    manifest = project.backend._model_path / "model.json"
    manifest.write_text(manifest.read_text()[:100])
    project.backend._tagger = None
    with pytest.raises(OperationFailedException, match="train the project again"):
        best(project, "water")


def test_an_interrupted_training_leaves_the_old_model(project, monkeypatch):
    project.train(corpus_of(project))
    before = best(project, "song of the choir")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ramify.tagger.Tagger.fit_dataset", interrupted)
    with pytest.raises(KeyboardInterrupt):
        project.train(corpus_of(project, seed=5))
    project.backend._tagger = None
    assert best(project, "song of the choir") == before


def test_annif_counts_and_uploads_the_files_of_the_model(project):
    project.train(corpus_of(project))
    files = {path.name for path in (project.backend._model_path).rglob("*") if path.is_file()}
    assert {Path(path).name for path in project.backend._model_file_paths} == files
    assert not any(pattern in name for name in (MODEL, *files) for pattern in ("-train", "tmp-"))


def test_other_subjects_are_labels_too(project):
    """Models that match names suggest subjects without a training document."""
    project.train(corpus_of(project))
    assert "unused" not in TRAINED
    project.backend.initialize()
    assert "unused" in list(project.backend._tagger.label_names_)
