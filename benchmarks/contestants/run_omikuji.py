"""omikuji: hyper-parameters by name over its defaults. It trains from a text file and answers row by row."""
# ruff: noqa: D102 - the methods are those of contest.Contestant

from typing import Any

from contest import BEAM, K, Setup, main, ranked
from omikuji import Model, _ThreadPoolHandle, ffi, lib


class Omikuji:
    """A forest of label trees."""

    def data(self, setup: Setup) -> Any:
        """The data set in omikuji's memory: ``train_on_data`` parses within its call, which would be on the clock."""
        path = setup.work / "train.txt"
        write_repository_format(path, setup.matrix("X"), setup.matrix("Y"))
        pool = _ThreadPoolHandle(setup.threads)
        loaded = lib.load_omikuji_data_set(ffi.new("char[]", str(path).encode()), pool.ptr)
        path.unlink()
        if loaded == ffi.NULL:
            raise RuntimeError("omikuji could not read its own format")
        return ffi.gc(loaded, lib.free_omikuji_data_set), pool

    def train(self, data: Any, setup: Setup) -> Any:
        loaded, pool = data
        chosen = Model.default_hyper_param()
        for name, value in setup.settings.items():
            setattr(chosen, name, value)
        trained = lib.train_omikuji_model(loaded, chosen, pool.ptr)
        if trained == ffi.NULL:
            raise RuntimeError("omikuji failed to train")
        return Model(trained)

    def save(self, model: Any, setup: Setup) -> None:
        model.save(str(setup.model))

    def load(self, setup: Setup) -> Any:
        model = Model.load(str(setup.model))
        model.init_prediction_thread_pool(setup.threads)
        return model

    def batch(self, model: Any, X: Any, setup: Setup) -> Any:
        rows = pairs_of(X)
        return lambda: [model.predict(row, beam_size=BEAM, top_k=K) for row in rows]

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        return ranked(answer, n)

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Any]:
        rows = pairs_of(X)
        return {"single": lambda row: model.predict(rows[row], beam_size=BEAM, top_k=K)}


def pairs_of(X: Any) -> list[list[tuple[int, float]]]:
    """Rows as omikuji takes them, made outside the clock."""
    rows = (X[row] for row in range(X.shape[0]))
    return [list(zip(row.indices.tolist(), row.data.tolist(), strict=True)) for row in rows]


def write_repository_format(path: Any, X: Any, Y: Any) -> None:
    """Lines of ``label,label feature:value feature:value`` after a line of sizes; no space where no feature follows."""
    with path.open("w") as file:
        file.write(f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}\n")
        for row in range(X.shape[0]):
            labels = ",".join(map(str, Y.indices[Y.indptr[row] : Y.indptr[row + 1]].tolist()))
            begin, end = X.indptr[row], X.indptr[row + 1]
            pairs = zip(X.indices[begin:end].tolist(), X.data[begin:end].tolist(), strict=True)
            file.write(" ".join([labels, *(f"{feature}:{value:.7g}" for feature, value in pairs)]) + "\n")


if __name__ == "__main__":
    main(Omikuji())
