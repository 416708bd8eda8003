"""libpecos: its defaults, or the documented settings given; prediction with hash-chunked weights.

Settings, all optional: ``negatives`` ("tfn" or "tfn+man", those of the leaves), ``C`` (of positives and negatives),
``post_processor`` ("l3-hinge": product over all levels, "noop": score of the leaf alone) and ``trees``. Several trees
differ in their seeds. Their scores are averaged by ``CsrEnsembler``; raw scores of leaves pass through a sigmoid first.
"""
# ruff: noqa: D102 - the methods are those of contest.Contestant

import json
from pathlib import Path
from typing import Any

from contest import BEAM, K, Setup, main, ranked
from pecos.utils.smat_util import CsrEnsembler
from pecos.xmc import HierarchicalMLModel, Indexer, LabelEmbeddingFactory, MLModel
from pecos.xmc.xlinear.model import XLinearModel

CANDIDATES = 2 * K  # of each tree of an ensemble: libpecos's default number of answers


class Pecos:
    """One or several XLinearModels, trained and served."""

    def data(self, setup: Setup) -> Any:
        return setup.matrix("X"), setup.matrix("Y")

    def train(self, data: Any, setup: Setup) -> Any:
        X, Y = data
        Z = LabelEmbeddingFactory.create(Y, X, method="pifa")
        return [_train(X, Y, Z, seed, setup) for seed in _seeds(setup)]

    def save(self, model: Any, setup: Setup) -> None:
        for tree, folder in zip(model, _folders(setup), strict=True):
            tree.save(str(folder))
        set_scoring(setup)
        for folder in _folders(setup):
            XLinearModel.compile_mmap_model(str(folder), str(_mapped(folder)))

    def load(self, setup: Setup) -> Any:
        return [
            XLinearModel.load(str(folder), is_predict_only=True, weight_matrix_type="HASH_CHUNKED")
            for folder in _folders(setup)
        ]

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        predict = _predictor(model, setup)
        return lambda: predict(X, setup.threads)

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        rows = (answer[row] for row in range(n))
        return ranked((zip(row.indices.tolist(), row.data.tolist(), strict=True) for row in rows), n)

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        predict, rows = _predictor(model, setup), [X[row] for row in range(X.shape[0])]
        return {"single": lambda row: predict(rows[row], 1)}


def _train(X: Any, Y: Any, Z: Any, seed: int, setup: Setup) -> Any:
    chain = Indexer.gen(Z, threads=setup.threads, seed=seed)
    return XLinearModel.train(X, Y, C=chain, **_training(len(chain), setup))


def _training(depth: int, setup: Setup) -> dict[str, Any]:
    """Keyword arguments of ``XLinearModel.train``: ``threads`` alone for the defaults."""
    settings, known = setup.settings, {"threads": setup.threads}
    if "C" in settings:
        known |= {"Cp": settings["C"], "Cn": settings["C"]}
    if settings.get("negatives", "tfn") == "tfn":
        return known
    chain = HierarchicalMLModel.TrainParams(
        neg_mining_chain=["tfn"] * (depth - 1) + [settings["negatives"]],
        model_chain=MLModel.TrainParams.from_dict(known),
    )
    return known | {"train_params": XLinearModel.TrainParams(hlm_args=chain)}


def set_scoring(setup: Setup) -> None:
    """Store the post-processor of the leaves in the saved model: prediction has one for all levels only."""
    wanted = setup.settings.get("post_processor", "l3-hinge")
    for folder in _folders(setup):
        file = max((folder / "ranker").glob("*.model"), key=lambda level: int(level.stem)) / "param.json"
        param = json.loads(file.read_text())
        param["pred_kwargs"]["post_processor"] = wanted
        file.write_text(json.dumps(param, indent=True))


def load_mapped(setup: Setup) -> Any:
    """The model compiled by ``compile_mmap_model``, mapped into memory."""
    return [XLinearModel.load(str(_mapped(folder)), is_predict_only=True) for folder in _folders(setup)]


def _predictor(trees: Any, setup: Setup) -> Any:
    """A function of (X, threads)."""
    if len(trees) == 1:
        (tree,) = trees
        return lambda X, threads: tree.predict(X, only_topk=K, beam_size=BEAM, threads=threads)
    raw = setup.settings.get("post_processor") == "noop"
    average = CsrEnsembler.sigmoid_average if raw else CsrEnsembler.average
    return lambda X, threads: average(
        *(tree.predict(X, only_topk=CANDIDATES, beam_size=BEAM, threads=threads) for tree in trees)
    )


def _seeds(setup: Setup) -> range:
    """Seeds of the trees: no two runs share one."""
    trees = setup.settings.get("trees", 1)
    return range(trees * setup.seed, trees * (setup.seed + 1))


def _folders(setup: Setup) -> list[Path]:
    return [setup.model / str(seed) for seed in _seeds(setup)]


def _mapped(folder: Path) -> Path:
    """Beside the model's folder, whose size is measured."""
    return folder.parent.with_name("mapped") / folder.name


if __name__ == "__main__":
    main(Pecos(), other_openings={"load_mapped": load_mapped}, set_scoring=set_scoring)
