"""ramify's own runners, one line each: name -> estimator of (seed, threads)."""

from collections.abc import Callable
from typing import Any

from ramify import Ensemble, XRLinear, preset

ESTIMATORS: dict[str, Callable[[int, int], Any]] = {
    "ramify": lambda seed, threads: preset("default", seed=seed, threads=threads),
    "ramify-fast": lambda seed, threads: preset("fast", seed=seed, threads=threads),
    "ramify-best": lambda seed, threads: preset("best", seed=seed, threads=threads),
    "ramify-tail": lambda seed, threads: preset("tail", seed=seed, threads=threads),
    "ramify-3-trees": lambda seed, threads: Ensemble(XRLinear(seed=seed), trees=3, threads=threads),
}
