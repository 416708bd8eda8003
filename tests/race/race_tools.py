"""Rows of a race, as the tests need them."""

from pathlib import Path

from racing.quality import SCHEME

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MEASURES = [f"{family}@{k}" for family in ("P", "nDCG", "PSP") for k in (1, 3, 5)]
COSTS = {
    "train_cpu_s": 1.0, "train_wall_s": 0.6, "baseline_bytes": 1e8, "peak_bytes": 1.1e8, "peak_above_bytes": 1e7,
    "model_bytes": 1e6, "load_ms": 3.0, "load_first_ms": 4.0, "batch_cpu_us": 20.0, "single_p50_us": 10.0,
    "single_p99_us": 30.0,
}  # fmt: skip
SHAPE = {"documents": 100, "features": 50, "labels": 20, "tests": 30, "nonzeros": 900, "positives": 200}


def run_row(system, run=1, *, factor=1.0, quality=60.0, **changes):
    """A finished run, every cost ``factor`` times the sample's."""
    row = {"kind": "run", "dataset": "bibtex", "system": system, "version": "1.0", "settings": {}, "run": run}
    row |= {"threads": 2, "identity": f"{system} id", "matrices": "m", "busy": False, "shape": SHAPE}
    row |= {name: factor * value for name, value in COSTS.items()}
    row |= {"measures": {name: [quality, quality - 1, quality + 1] for name in MEASURES}}
    if system.startswith("ramify"):
        row |= {"load_unverified_ms": 2.0 * factor, "single_call_p50_us": 25.0 * factor}
    if system.startswith("libpecos"):
        row |= {"load_mapped_ms": 1.0 * factor}
    row |= {"machine": "a processor, 2 cores", "date": "2030-01-01", "commit": "abc"}
    return row | changes


def failed_row(system, why, **changes):
    """A run that did not finish."""
    kept = {name: value for name, value in run_row(system).items() if name not in (*COSTS, "measures")}
    return kept | {"failed": why} | changes


def paired_row(system, peer, difference, p):
    """A comparison of two systems' first runs."""
    row = {"kind": "paired", "dataset": "bibtex", "system": system, "peer": peer, "threads": 2, "matrices": "m"}
    row |= {"identity": f"{system} id", "peer_identity": f"{peer} id", "runs": [1, 1], "scheme": SCHEME}
    return row | {"measures": {name: [difference, difference - 1, difference + 1, p] for name in MEASURES}}
