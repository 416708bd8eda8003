"""``DataHealth``: the result of an inspection of data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ramify.evaluation.grid import Grid
from ramify.health.findings import Finding, findings_of, split_command
from ramify.health.frequencies import Frequencies, Unseen
from ramify.health.label_names import Variants
from ramify.health.languages import LanguageMix
from ramify.health.overlap import Overlap
from ramify.health.parts import PartFacts

if TYPE_CHECKING:
    from ramify.report import Page


@dataclass(frozen=True)
class DataHealth:
    """The state of labelled data; `inspect_data` makes it.

    Parameters
    ----------
    sources : tuple of str
        Names of the training file and of the test file, if there is one.
    flags : str
        Command-line flags by which the files are read, repeated in ``split_command``.
    holds_texts : bool
        Whether the documents are texts; otherwise they are rows of features.
    train : PartFacts
        Numbers of the training part.
    test : PartFacts or None
        Numbers of the test part.
    frequencies : Frequencies
        Training documents per label.
    unseen : Unseen or None
        Test labels without a training document.
    overlap : Overlap
        Duplicates within and across the parts.
    similar_names : tuple of Variants
        Label names that probably mean one label, with the documents of both parts.
    languages : tuple of LanguageMix
        Of the training texts, and of the test texts if there are any; empty for features.
    """

    sources: tuple[str, ...]
    flags: str
    holds_texts: bool
    train: PartFacts
    test: PartFacts | None
    frequencies: Frequencies
    unseen: Unseen | None
    overlap: Overlap
    similar_names: tuple[Variants, ...]
    languages: tuple[LanguageMix, ...]

    @property
    def parts(self) -> dict[str, PartFacts]:
        """The parts by name: "training", and "test" if there is one."""
        return {"training": self.train} | ({} if self.test is None else {"test": self.test})

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Properties of the data that lower the quality of a model or falsify its measures, the most serious first."""
        return findings_of(self)

    @property
    def split_command(self) -> str:
        """The command that writes a training and a test file with all near duplicates on one side."""
        return split_command(self)

    def as_dict(self) -> dict[str, Any]:
        """All values in JSON types."""
        own = asdict(self)
        own["findings"] = [asdict(finding) for finding in self.findings]
        own["split_command"] = self.split_command if self.overlap.near.groups else None
        return own

    def grids(self) -> tuple[Grid, ...]:
        """The tables of the terminal output."""
        from ramify.health.tables import grids_of

        return grids_of(self)

    def __str__(self) -> str:
        from ramify.health.tables import text_of

        return text_of(self)

    def page(self) -> Page:
        """The report, which can be saved as HTML or Markdown (extra ``report``).

        Raises
        ------
        MissingExtraError
            jinja2 is not installed.
        """
        from ramify.health.page import page_of

        return page_of(self)

    def _repr_html_(self) -> str | None:
        from ramify.errors import MissingExtraError

        try:
            return self.page()._repr_html_()
        except MissingExtraError:
            return None  # the notebook shows the text
