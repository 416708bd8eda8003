"""``--memory``: training within a limit of memory, on texts that are read in parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Option

from ramify.errors import InputError
from ramify.wording import counted, quoted

if TYPE_CHECKING:
    from ramify.scale.limited import MemoryLimit

AFTERWARDS = {"holdout": "calibrate", "calibrate": "calibrate", "test": "evaluate"}
"""Commands that do the same with a trained model, by option."""

NO_DOCUMENTS = "calibration needs all documents in memory: use ramify calibrate"
"""Why a model that was trained within a limit is not calibrated."""

WRAPPED = {
    "Disentangled": ("labels in several clusters (Disentangled) need", "leave --copies out, or set it to 1"),
    "Ensemble": ("several trees (Ensemble) need", "leave --trees out, or set it to 1"),
}
"""Models around another model that need all data in memory, and how they are left out, by class."""

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNITS |= {f"{unit}I": 1024**power for power, unit in enumerate("KMGT", start=1)}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?I?)B?", re.ASCII)


def bytes_of(text: str) -> int:
    """A size such as 4GB, 500MB or 2GiB in bytes.

    Raises
    ------
    InputError
        Another text, or a small number without a unit.
    """
    match = SIZE.fullmatch(text.strip().upper())
    if match is None or match[2] not in UNITS or float(match[1]) == 0:
        raise InputError(f"--memory is {quoted(text)}, but must be a size such as 4GB or 500MB")
    size = int(float(match[1]) * UNITS[match[2]])
    if not match[2] and size < UNITS["M"]:
        raise InputError(
            f"--memory is {quoted(text)}, which is {counted(size, 'byte')}: add a unit, as in {match[1]}GB"
        )
    return size


@dataclass(frozen=True, kw_only=True)
class MemoryOptions:
    """Options for training with less memory than the data need."""

    memory: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it
        Option(metavar="SIZE", help="Limit of memory, such as 4GB."),
    ] = None

    def check_memory(self, others: Mapping[str, Any]) -> None:
        """Refuse options that need all documents in memory, which have values in ``others``.

        Raises
        ------
        InputError
            One of them is given.
        """
        for name, value in others.items():
            if value is not None and value != "no":
                later = AFTERWARDS.get(name)
                raise InputError(
                    f"--{name} and --memory are both given, but --{name} needs all documents in memory: leave it out"
                    + ("" if later is None else f", and use ramify {later} afterwards")
                )

    def memory_limit(self, out: Path, tagger: Any, preset: str | None) -> MemoryLimit | None:
        """The limit with its folder; None without ``--memory``.

        Parameters
        ----------
        out : Path
            Directory of the model; the files are made beside it.
        tagger : Tagger
            Unfitted.
        preset : str or None
            The preset that chose the model.

        Raises
        ------
        InputError
            Not a size, or too small a one; a model or vectorizer that needs all data in memory; a folder that cannot
            be used.
        """
        if self.memory is None:
            return None
        limit = bytes_of(self.memory)
        from ramify.features import Tfidf
        from ramify.models import XRLinear
        from ramify.scale.limited import MemoryLimit

        model, vectorizer = type(tagger.model), type(tagger.vectorizer)
        why = None
        if tagger.model is not None and model is not XRLinear:
            remedy = "use --model xr-linear" if preset is None else "use --preset default, or leave it out"
            why = WRAPPED.get(model.__name__, (f"the model {model.__name__} needs", remedy))
        elif tagger.vectorizer is not None and vectorizer is not Tfidf:
            why = f"the vectorizer {vectorizer.__name__} needs", "use --vectorizer tfidf"
        if why is not None:
            raise InputError(f"--memory is {quoted(self.memory)}, but {why[0]} all data in memory: {why[1]}")
        place = next(path for path in out.absolute().parents if path.is_dir())
        return MemoryLimit(limit, place)
