"""ramify's own runners, one line each: name -> estimator of (seed, threads)."""

from collections.abc import Callable
from typing import Any

from ramify import XRLinear

ESTIMATORS: dict[str, Callable[[int, int], Any]] = {
    "ramify": lambda seed, threads: XRLinear(seed=seed, threads=threads),
}
