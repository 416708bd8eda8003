"""libpecos at its defaults on matrices in a folder; prints its costs as JSON, leaves the ten best labels in top.npz."""

import json
import os
import resource
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel

K = 10


def main() -> None:
    folder, seed, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    X, Y, X_test = (sp.load_npz(folder / f"{name}.npz").tocsr() for name in ("X", "Y", "X_test"))
    start = os.times()
    Z = LabelEmbeddingFactory.create(Y, X, method="pifa")
    chain = Indexer.gen(Z, threads=threads, seed=seed)
    model = XLinearModel.train(X, Y, C=chain, threads=threads)
    trained = os.times()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    predicted = model.predict(X_test, only_topk=K, beam_size=10, threads=threads).tocsr()
    done = os.times()
    labels = np.full((X_test.shape[0], K), -1, np.int32)
    scores = np.full((X_test.shape[0], K), -np.inf, np.float32)
    for row in range(X_test.shape[0]):
        begin, end = predicted.indptr[row], predicted.indptr[row + 1]
        best = np.argsort(-predicted.data[begin:end], kind="stable")[:K]
        labels[row, : len(best)] = predicted.indices[begin:end][best]
        scores[row, : len(best)] = predicted.data[begin:end][best]
    np.savez(folder / "top.npz", labels=labels, scores=scores)
    costs = {
        "train_cpu_s": round(trained.user + trained.system - start.user - start.system, 3),
        "predict_cpu_s": round(done.user + done.system - trained.user - trained.system, 3),
        "peak_bytes": peak,
    }
    print(json.dumps(costs))


if __name__ == "__main__":
    main()
