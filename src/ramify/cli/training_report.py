"""Report of a training: sizes, time per stage, memory, and measures on held-out documents."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ramify.cli.fuse import fusion_text
from ramify.cli.output import bytes_text, columns, seconds_text, show, show_json
from ramify.cli.stages import Stages
from ramify.evaluation import Report
from ramify.models.base.adapter import as_model
from ramify.scale.memory import peak_memory
from ramify.tagger import Tagger
from ramify.tagger.explain.sizes import describe


@dataclass(frozen=True)
class TrainingReport:
    """The report that ``ramify train`` prints.

    Parameters
    ----------
    tagger : Tagger
        The trained tagger.
    out : Path
        Directory that it was saved in.
    stages : Stages
        Times of the stages.
    report : Report or None
        Evaluation; None without test documents.
    settings : dict
        Settings of the training.
    uncalibrated : str or None
        Why the tagger has no calibration; None if it has one.
    """

    tagger: Tagger
    out: Path
    stages: Stages
    report: Report | None
    settings: dict[str, Any]
    uncalibrated: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        card = describe(self.tagger)
        return {
            "model": str(self.out),
            "documents": self.tagger.n_documents_,
            "labels": card.n_labels,
            "features": card.n_features,
            "text_features": card.text_features,
            "weights": card.n_weights,
            "bytes": directory_bytes(self.out),
            "stage_seconds": self.stages.seconds,
            "documents_per_second": self.stages.rates(),
            "wall_seconds": time.perf_counter() - self.stages.begun,
            "cpu_seconds": time.process_time() - self.stages.begun_cpu,
            "peak_memory_bytes": peak_memory(),
            "normalized_rows": as_model(self.tagger.model_).size().normalized_rows,
            "settings": self.settings,
            "rounds": [str(one) for one in self._rounds()],
            "fusion": None if self._fusion() is None else self._fusion().as_dict(),
            "calibration": self._calibration(),
            "evaluation": None if self.report is None else self.report.as_dict(),
        }

    def _calibration(self) -> dict[str, Any]:
        """Kind, documents and rules, or the reason why there is none."""
        decisions = self.tagger.decisions_
        if decisions is None:
            return {"reason": self.uncalibrated}
        documents = len(decisions.evidence.labels)
        return {"kind": decisions.calibration.kind, "documents": documents, "rules": dict(decisions.chosen)}

    def _rounds(self) -> tuple[Any, ...]:
        """Changes of each round of label reassignment."""
        return tuple(getattr(self.tagger.model_, "rounds_", ()))

    def _fusion(self) -> Any:
        """What each member adds to a fusion; None for other models."""
        return getattr(self.tagger.model_, "report_", None)

    def show(self, *, as_json: bool) -> None:
        """Print the report."""
        facts = self.as_dict()
        if as_json:
            show_json(facts)
            return
        rows = [(name, f"{facts[name]:,}") for name in ("documents", "labels", "features", "weights")]
        rows += [
            ("on disk", bytes_text(facts["bytes"])),
            ("peak memory", bytes_text(facts["peak_memory_bytes"])),
            ("time", f"{seconds_text(facts['wall_seconds'])} ({seconds_text(facts['cpu_seconds'])} of CPU)"),
        ]
        if facts["text_features"]:
            rows.insert(3, ("texts", facts["text_features"]))
        if self.uncalibrated is None:
            found = facts["calibration"]
            rows.append(("calibration", f"{found['kind']}, by {found['documents']:,} held-out documents"))
        if facts["normalized_rows"]:
            scaled = (
                f"{facts['normalized_rows']:,} of {facts['documents']:,} to length 1 (--normalize no disables scaling)"
            )
            rows.append(("rows scaled", scaled))
        rates = facts["documents_per_second"]
        for stage, seconds in facts["stage_seconds"].items():
            rows.append((f"  {stage}", f"{seconds_text(seconds):>9}  {rates.get(stage, 0):>12,.0f} documents/s"))
        show(columns(rows))
        for number, one in enumerate(facts["rounds"], 1):
            show(f"round {number}: {one}")
        if self._fusion() is not None:
            show(f"\n{fusion_text(self._fusion())}")
        if self.report is not None:
            show(f"\n{self.report}")
        show(f"\nsaved in {self.out}")


def directory_bytes(path: Path) -> int:
    """Bytes of the files in a directory."""
    return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
