"""Names of new labels in the output of ``ramify predict --proposals``, counted over all documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramify.wording import counted, quoted

if TYPE_CHECKING:
    from ramify.answering import Answer


@dataclass
class Proposed:
    """Names of new labels in all documents."""

    documents: Counter[str] = field(default_factory=Counter)
    n_with: int = 0

    def add(self, answers: Iterable[Answer]) -> None:
        """Count the proposals of some documents."""
        for answer in answers:
            self.documents.update(name for name, _ in answer.proposals or ())
            self.n_with += bool(answer.proposals)

    def summary(self, n_documents: int) -> str:
        """A note with the number of different proposals and the most frequent one."""
        if not self.documents:
            return f"note: no new label is proposed for {counted(n_documents, 'document')}"
        [(name, count)] = self.documents.most_common(1)
        return (
            f"note: {counted(len(self.documents), 'new label')} proposed for {self.n_with:,} of {n_documents:,} "
            f"documents; the most frequent: {quoted(name)} ({counted(count, 'document')})"
        )
