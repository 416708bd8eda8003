"""Texts to features beside scikit-learn, one thread each, and one text to its labels.

    run_text.py DATASET_FOLDER COSTS_FILE SEED

Both vectorizers make the same columns (the tests prove it), so documents per CPU second compare.
"""

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contest import SINGLES, K, cpu_seconds, latencies
from sklearn.feature_extraction.text import TfidfVectorizer

from ramify import Tagger, Tfidf, XRLinear, read

MOST = 20_000
REPEATS = 3


def main() -> None:
    folder, costs, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    train, test = read(folder / "train.jsonl.gz"), read(folder / "test.jsonl.gz")
    texts = list(train.texts[:MOST])
    own = Tfidf(words=(1, 2), characters=None, runs=None, language=None, min_df=2, threads=1)
    low, high = own.words
    peer = TfidfVectorizer(
        ngram_range=(low, high),
        min_df=own.min_df,
        max_df=own.max_df,
        max_features=own.max_features,
        sublinear_tf=own.sublinear,
        dtype=np.float32,
    )
    figures = {
        "documents": len(texts),
        "documents_per_cpu_s": len(texts) / repeated(lambda: own.fit_transform(texts)),
        "sklearn_documents_per_cpu_s": len(texts) / repeated(lambda: peer.fit_transform(texts)),
    }
    tagger = Tagger(XRLinear(seed=seed)).fit_dataset(train)
    asked = [[text] for text in test.texts[:SINGLES]]
    figures["tag_p50_us"], figures["tag_p99_us"] = latencies(lambda row: tagger.tag(asked[row], k=K), len(asked))
    costs.write_text(json.dumps(figures))


def repeated(work: Callable[[], Any]) -> float:
    """Median CPU seconds."""
    taken = []
    for _ in range(REPEATS):
        start = cpu_seconds()
        work()
        taken.append(cpu_seconds() - start)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
