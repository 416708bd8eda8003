"""The trie of the label names, and the proposals of open decoding with the judgements of a person."""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from racing.generation_answers import Problem
from racing.places import HERE
from racing.rows import Row
from racing.systems import System
from racing.text_sets import texts_of

JUDGED = HERE / "results" / "xlgen-judged.json"
"""A list of {"text", "proposal", "judgement"}; a person writes a word of ``JUDGEMENTS``."""
JUDGEMENTS = {"fits": "a heading for this book", "near": "partly right", "wrong": "not for this book, or no heading"}
ASKED = 20
MOST = 3
"""Best proposals of a document that are judged and shown, whatever their scores are: a long string has a low score."""
BUILDS = 5
LONGEST = 512
"""Tokens of the longest label name that is read for the trie."""


def trie_row(names: Sequence[str], encoder: str, threads: int) -> Row:
    """Size of the trie of label names, and the costs of building it from their tokens."""
    from ramify.generate.loading import NetworkConfig, load_network
    from ramify.generate.trie import Trie

    config = NetworkConfig(
        name=encoder,
        decoder_layers=1,
        n_clusters=0,
        appended=False,
        max_tokens=LONGEST,
        max_target=LONGEST,
        seed=0,
        threads=threads,
    )
    begun = time.perf_counter()
    network, _, tokens = load_network(config, names)
    loaded = time.perf_counter() - begun
    taken = []
    for _ in range(BUILDS):
        begun = time.perf_counter()
        trie = Trie.of(tokens)
        taken.append(time.perf_counter() - begun)
    tracemalloc.start()
    Trie.of(tokens)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    lengths = tokens.lengths
    return {
        "labels": len(names),
        "different": len(trie.labels),
        "nodes": len(trie),
        "trie_bytes": trie.nbytes,
        "build_s": round(statistics.median(taken), 4),
        "build_peak_bytes": peak,
        "load_s": round(loaded, 2),
        "tokens": {"mean": round(float(lengths.mean()), 2), "p99": float(np.quantile(lengths, 0.99))}
        | {"longest": tokens.longest},
        "output_tokens": network.vocabulary.size,
    }


def proposal_row(problem: Problem, system: System) -> Row:
    """What the kept model of a system writes for some test documents under open decoding.

    Raises
    ------
    FileNotFoundError
        No model is kept.
    """
    import ramify
    from ramify.exchange import Request

    home = problem.model_home(system)
    if not home.exists():
        raise FileNotFoundError(home)
    texts, Y = texts_of(problem.matrices, "test"), problem.matrices.Y_test
    rows = np.sort(np.random.default_rng(0).permutation(len(texts))[:ASKED])
    asked = [texts[row] for row in rows]
    found = ramify.load(home).model_.proposals(Request(texts=asked, threads=problem.threads))
    documents = [
        {
            "text": text,
            "true": [problem.names[label] for label in Y[row].indices],
            "labels": [[problem.names[label], round(score, 4)] for label, score in one.labels],
            "proposals": [[proposal, float(f"{score:.2g}")] for proposal, score in one.proposals[:MOST]],
        }
        for row, text, one in zip(rows, asked, found, strict=True)
    ]
    return {"documents": documents}


def add_unjudged(documents: Sequence[Row], path: Path = JUDGED) -> int:
    """Add proposals without a judgement to the file of judgements; the number of proposals that have none."""
    known = judgements(path)
    for one in documents:
        for proposal, _ in one["proposals"]:
            known.setdefault((one["text"], proposal), "")
    rows = [{"text": text, "proposal": proposal, "judgement": word} for (text, proposal), word in known.items()]
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")
    beside.replace(path)
    return sum(not word for word in known.values())


def judgements(path: Path = JUDGED) -> dict[tuple[str, str], str]:
    """(text, proposal) -> judgement, "" where there is none.

    Raises
    ------
    ValueError
        A judgement that is no word of ``JUDGEMENTS``.
    """
    rows: list[Any] = json.loads(path.read_text("utf-8")) if path.exists() else []
    found = {(row["text"], row["proposal"]): row["judgement"] for row in rows}
    unknown = sorted({word for word in found.values() if word and word not in JUDGEMENTS})
    if unknown:
        raise ValueError(f"{path.name}: judgement {unknown[0]!r}, but must be one of {', '.join(JUDGEMENTS)}")
    return found
