"""Names of new labels: strings that a generating model writes for a text besides the names of its labels.

A model with the ability "proposals" has the method ``proposals(request)``, which gives for each instance an object with
``labels``, pairs of a label id and a score, and ``proposals``, pairs of a string and a score, both best first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ramify.checks import Whole
from ramify.errors import InputError
from ramify.exchange import Request
from ramify.models.base.adapter import as_model, own_method
from ramify.tagger.instances import listed
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.tagger.fitted import FittedTagger, Tags

ProposalsMethod = Callable[[Request], Sequence[Any]]


@dataclass(frozen=True)
class Proposals:
    """What a generating model writes for one text if it may write any string, best first.

    Parameters
    ----------
    labels : list of (name, score)
        Labels of the model. They may differ from those of ``Tagger.tag``, for which a model such as ``XLGen`` writes
        names of labels only.
    new : list of (name, score)
        Proposed names of new labels: strings that are neither the name of a label nor similar to one.
    """

    labels: Tags = field(default_factory=list)
    new: Tags = field(default_factory=list)


def proposals_method(model: Any) -> ProposalsMethod:
    """The method ``proposals`` of a model.

    Raises
    ------
    InputError
        A model without the ability "proposals", or without the method.
    """
    method: ProposalsMethod | None = own_method(model, "proposals")
    if method is None or "proposals" not in as_model(model).abilities:
        raise InputError(
            f"{type(model).__name__} proposes no new labels: use a model that writes label names, such as XLGen "
            "(ramify train --model xlgen)"
        )
    return method


def proposals(tagger: FittedTagger, texts: Any, beam: int | None, threads: int | None) -> list[Proposals]:
    """What the model of a tagger writes for each text; see ``Tagger.proposals``."""
    method = proposals_method(tagger.model_)
    if beam is not None:
        tagger.check_beam(beam)
    texts = listed(texts) if tagger.takes_texts_ else texts
    if tagger.takes_texts_ and not texts:
        return []
    request, empty = tagger._request(texts)
    if empty.all():
        return [Proposals() for _ in range(len(request))]
    found = method(replace(request, beam=beam, threads=threads))
    return [
        Proposals() if is_empty else _named(one, tagger)
        for one, is_empty in zip(_checked(found, len(request), tagger), empty.tolist(), strict=True)
    ]


def _checked(found: Any, n: int, tagger: FittedTagger) -> Sequence[Any]:
    """The result of a model: one object with ``labels`` and ``proposals`` per instance."""
    if isinstance(found, Sequence) and len(found) == n and all(map(_is_written, found)):
        return found
    raise InputError(
        f"{type(tagger.model_).__name__} returned {quoted(found)} as proposals, but must return one object with labels "
        f"and proposals for each of {n} texts"
    )


def _is_written(one: Any) -> bool:
    return hasattr(one, "labels") and hasattr(one, "proposals")


def _named(written: Any, tagger: FittedTagger) -> Proposals:
    """The written labels with their names."""
    names = tagger.label_names_
    for label, _ in written.labels:
        if not Whole(0, len(names) - 1).fits(label):
            raise InputError(
                f"{type(tagger.model_).__name__} writes label {quoted(label)}, but must write labels of "
                f"0..{len(names) - 1}"
            )
    return Proposals([(names[label], score) for label, score in written.labels], list(written.proposals))
