"""Axes of charts: from values to positions, ticks, and the text of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

TICKS = 5
"""Approximate number of ticks."""


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    Parameters
    ----------
    label : str
        Its meaning, with the unit.
    low, high : float or None, default None
        Ends; those of the data when None.
    log : bool, default False
        Whether the scale is logarithmic; values up to 0 are then left out.
    percent : bool, default False
        Whether the values are shares, shown in percent.
    whole : bool, default False
        Whether the values are counts, so that all ticks are whole numbers.
    """

    label: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    percent: bool = False
    whole: bool = False

    def fitted(self, values: Iterable[float]) -> Axis:
        """The axis with both ends, which include the finite values; never of length 0."""
        usable = [value for value in values if self.shows(value)]
        low = self.low if self.low is not None else min(usable, default=1.0 if self.log else 0.0)
        high = self.high if self.high is not None else max(usable, default=low + 1)
        if high <= low:
            high = low * 10 if self.log else low + (abs(low) or 1.0)
        return replace(self, low=low, high=high)

    def to_tick(self) -> Axis:
        """A fitted linear axis that ends at a tick, at or above its high end."""
        high, step = self.ends[1], self._step()
        return replace(self, high=math.ceil(high / step - 1e-9) * step)

    def shows(self, value: float) -> bool:
        """Whether a value has a position: finite, and above 0 on a logarithmic scale."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def place(self, value: float) -> float:
        """Position of a value, 0 at the low end and 1 at the high end; clipped to these."""
        low, high = self.ends
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-300))
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Round values within the ends, ascending."""
        return self._log_ticks() if self.log else self._linear_ticks()

    def tick_texts(self) -> list[str]:
        """The texts of the ticks; percentages have the same number of decimals."""
        ticks = self.ticks()
        if not self.percent:
            return list(map(number_text, ticks))
        digits = next((d for d in (0, 1, 2) if all(abs(round(100 * t, d) - 100 * t) < 1e-9 for t in ticks)), 3)
        return [f"{100 * tick:.{digits}f}%" for tick in ticks]

    def text(self, value: float) -> str:
        """A value of this axis."""
        return percent_text(value) if self.percent else number_text(value)

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of a fitted axis."""
        if self.low is None or self.high is None:
            raise ValueError("the axis has no ends: call fitted first")
        return self.low, self.high

    def _linear_ticks(self) -> list[float]:
        low, high = self.ends
        step = self._step()
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def _step(self) -> float:
        """Distance of ticks on a linear scale."""
        low, high = self.ends
        raw = max((high - low) / TICKS, 1.0 if self.whole else 0.0)
        power = 10.0 ** math.floor(math.log10(raw))
        return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))

    def _log_ticks(self) -> list[float]:
        low, high = self.ends
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factors in ((1,), (1, 3), (1, 2, 5)):
            found = [factor * 10.0**power for power in powers for factor in factors]
            found = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
            if len(found) >= 3:
                break
        if len(found) < 2:  # a range too short for round powers
            return self._linear_ticks()
        every = -(-len(found) // (TICKS + 2))
        return found[::every]


def percent_text(value: float) -> str:
    """0.123 → "12%"; a share below 10% has one decimal: 0.02 → "2.0%", 0.0001 → "<0.1%"; 0 is "0%"."""
    if not math.isfinite(value):
        return "–"
    if 0 < value < 0.0005:
        return "<0.1%"
    digits = 1 if 0 < abs(value) < 0.0995 else 0
    return f"{100 * value:.{digits}f}%"


def number_text(value: float) -> str:
    """12345 → "12,345"; 2500000 → "2.5M"; 0.1234 → "0.123"."""
    if not math.isfinite(value):
        return "–"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scaled = value / (1e3 if unit == "k" else size)
            return f"{scaled:,.1f}".removesuffix(".0") + unit if unit != "k" else f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
