"""Test documents none of whose labels occurs in training: no prediction for them can be correct."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnseenDocuments:
    """Their number, and whether an evaluation includes them.

    Parameters
    ----------
    count : int, default 0
        Documents with true labels, none of which occurs in Y_train; 0 without Y_train.
    counted : bool, default True
        Whether they are included, with every prediction wrong; otherwise left out, as with ``seen_labels_only``.
    """

    count: int = 0
    counted: bool = True

    def remark(self) -> str:
        """A line below a table's title; empty without such documents."""
        if not self.count:
            return ""
        one = self.count == 1
        if self.counted:
            effect = f"every prediction for {'it' if one else 'them'} counts as wrong"
        else:
            effect = "it is left out" if one else "they are left out"
        what = "document has" if one else "documents have"
        return f"\n{self.count:,} {what} no label that occurs in training: {effect}"

    def as_dict(self) -> dict[str, int | bool]:
        """The values in JSON types."""
        return {"n_unseen": self.count, "unseen_counted": self.counted}
