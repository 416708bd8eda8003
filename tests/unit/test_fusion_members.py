"""Members of a fusion: what a training passes on to them, and errors that name them before another one is trained."""

import shutil
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from ramify import Fusion, NearestInstances, Tagger, XRLinear
from ramify.errors import InputError
from ramify.exchange import Training
from ramify.scale.planning import check_plannable
from ramify.tagger.fusing.members import SavedMember, TrainedMember
from ramify.values import Dataset, Vocabulary, as_csr

WORDS = {"water": "river lake rain flood", "fire": "flame smoke heat burn"}
NAMES = list(WORDS)


def documents(n=120, names=NAMES, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    texts = [" ".join(rng.choice(WORDS[NAMES[label]].split(), 3)) + f" {row}" for row, label in enumerate(labels)]
    return Dataset(as_csr(np.eye(2, dtype=np.float32)[labels]), names, texts=texts)


def tagger(names=NAMES, **settings):
    return Tagger(XRLinear(threads=1, **settings)).fit_dataset(documents(60, names, 1))


def training(dataset, **fields):
    return Training(Y=dataset.Y, texts=dataset.texts, label_names=dataset.label_names, **fields)


class Recording(XRLinear):
    """Keeps the training data that it gets."""

    seen: ClassVar[list] = []

    def _learn(self, training):
        Recording.seen.append(training)
        super()._learn(replace(training, compute=None, spill=None))


def test_a_trained_member_passes_vocabulary_and_compute_on():
    Recording.seen.clear()
    vocabulary = Vocabulary(uris=["u:1", "u:2"], names={"en": NAMES})
    compute = object()
    model = Fusion([TrainedMember(Tagger(Recording(threads=1)), "own"), XRLinear(threads=1)], threads=1)
    data = documents(60)
    with pytest.warns(match="equal weights"):
        model.fit_training(training(data, X=as_csr(np.eye(60)), vocabulary=vocabulary))
    assert [one.vocabulary for one in Recording.seen] == [vocabulary]
    assert model.members_[0].tagger.vocabulary_ is None
    TrainedMember(Tagger(Recording(threads=1)), "own").fit_training(training(data, compute=compute))
    assert Recording.seen[-1].compute is compute


@pytest.mark.parametrize("field", ["sample_weight", "relevance"])
def test_a_trained_member_refuses_what_it_cannot_pass_on(field):
    data = documents(60)
    given = {"sample_weight": np.ones(60), "relevance": data.Y}[field]
    with pytest.raises(InputError, match=rf"^{field} is given, but own does not use it: leave it out$"):
        TrainedMember(Tagger(XRLinear(threads=1)), "own").fit_training(training(data, **{field: given}))


def test_a_plan_finds_the_tree_of_a_trained_member():
    check_plannable(Fusion([TrainedMember(Tagger(), "own"), NearestInstances()]))
    check_plannable(Fusion("semantic,lexical"))
    with pytest.raises(InputError, match="the model Fusion has no label tree"):
        check_plannable(Fusion([TrainedMember(Tagger(NearestInstances()), "own")]))


def test_a_frozen_member_without_a_common_label_is_refused_before_others_are_trained():
    Recording.seen.clear()
    other = SavedMember(tagger(["p", "q"]), "tree3")
    wanted = "^the member tree3: no label in common with the data: give models with the same label names$"
    for n in (70, 200):
        with pytest.raises(InputError, match=wanted):
            Tagger(Fusion([Recording(threads=1), other], threads=1)).fit_dataset(documents(n))
    assert not Recording.seen


def test_data_of_features_name_the_members_that_need_texts(tmp_path):
    tagger().save(tmp_path / "tree")
    data = Dataset(as_csr(np.eye(2)), NAMES, X=as_csr(np.eye(2)))
    wanted = "the member tree of Fusion needs texts, but the data contain features only: give texts, or leave such"
    with pytest.raises(InputError, match=wanted):
        Tagger(Fusion(f"{tmp_path / 'tree'},xr-linear")).fit_dataset(data)
    with pytest.raises(InputError, match="the members tree, lexical of Fusion need texts"):
        Tagger(Fusion(f"{tmp_path / 'tree'},xr-linear,lexical")).fit_dataset(data)


def test_a_second_fit_opens_a_saved_member_that_was_replaced(tmp_path):
    directory, data = tmp_path / "tree", documents()
    tagger().save(directory)
    model = Fusion(str(directory), threads=1).fit_training(training(data))
    assert model.members_[0].tagger.model_.max_leaf is None
    shutil.rmtree(directory)
    tagger(max_leaf=33).save(directory)
    assert model.fit_training(training(data)).members_[0].tagger.model_.max_leaf == 33
