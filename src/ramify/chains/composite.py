"""CompositeChain: the combined scores of a re-sequenced and a reinforced chain.

score = (1 - w) · score of the re-sequenced chain + w · score of the reinforced chain

The two networks have different seeds and hold out the same instances; w is the weight with the best ranking of these.
Two networks rank better than one: compare a composite with ensembles of two chains (``docs/chains.md``).

Jinseok Nam, Young-Bum Kim, Eneldo Loza Mencía, Sunghyun Park, Ruhi Sarikaya and Johannes Fürnkranz: Learning
Context-dependent Label Permutations for Multi-label Classification. ICML 2019, PMLR 97:4733-4742. See also
``docs/papers.md#classifier-chains-with-learnt-label-order``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify.chains.answers import ChainAnswers
from ramify.chains.label_chain import LabelChain
from ramify.chains.reinforced_chain import ReinforcedChain
from ramify.checks import Instance, Rules, Whole, real_number, rules_of
from ramify.errors import ModelFileError, damage_reported
from ramify.exchange import CheckedTraining, Sizes
from ramify.models.base.model import HELD_OUT
from ramify.models.base.unit import stored_count
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import CSR, Float32

WEIGHTS = tuple(step / 20 for step in range(21))
EQUAL = 0.5
BLOCK_ENTRIES = 40_000_000
"""Largest number of scores in memory per member."""


class CompositeChain(ChainAnswers):
    """Weighted mean of a re-sequenced and a reinforced chain.

    Parameters
    ----------
    resequenced : LabelChain, optional
        ``LabelChain()`` when None.
    reinforced : ReinforcedChain, optional
        ``ReinforcedChain()`` when None.
    held_out : float, default 0.1
        Share of the instances held out for early stopping and the weight of the chains; 0: both weights are 0.5.
    normalize : bool, default True
        Divide each row of X by its Euclidean length in training and prediction; overrides the setting of both chains.
    seed : int, default 0
        Seed of the split and of the first chain; the second chain uses seed + 1. The same seed gives the same model
        for any number of threads on a CPU.
    threads : int, optional
        None: all CPUs.

    Attributes
    ----------
    members_ : list of LabelChain and ReinforcedChain
        The fitted chains, in this order.
    weight_ : float
        Of the reinforced chain, 0 to 1.
    normalized_rows_ : int
        Training rows that were scaled to length 1; 0 without ``normalize``.
    n_features_in_, n_labels_ : int
        d and L.
    """

    RULES: ClassVar[Rules] = {
        "resequenced": Instance(LabelChain, "a LabelChain", optional=True),
        "reinforced": Instance(ReinforcedChain, "a ReinforcedChain", optional=True),
        "held_out": HELD_OUT,
        **rules_of(LabelChain, "normalize", "threads"),
        "seed": Whole(0, 2**32 - 2),  # the second chain uses seed + 1
    }
    FLAGS = ("held_out", "normalize")
    PARTS = MappingProxyType({"resequenced": LabelChain, "reinforced": ReinforcedChain})

    def __init__(
        self,
        resequenced: LabelChain | None = None,
        reinforced: ReinforcedChain | None = None,
        *,
        held_out: float = 0.1,
        normalize: bool = True,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.resequenced = resequenced
        self.reinforced = reinforced
        self.held_out = held_out
        self.normalize = normalize
        self.seed = seed
        self.threads = threads

    def _learn(self, training: CheckedTraining) -> None:
        """Train both chains on the same instances, then fit the weight on the held-out ones."""
        members = self._unfitted(training.seed)
        rest, held = self._held_out(training, self.held_out)
        for number, member in enumerate(members):
            member.fit_parts(replace(rest, seed=member.seed).part_of_progress(number, 2), held)
        self.set_members(members, held)

    def set_members(self, members: list[Any], held: CheckedTraining | None) -> CompositeChain:
        """Combine two fitted chains; the weight is fitted on instances that neither was trained on.

        Parameters
        ----------
        members : list of LabelChain and ReinforcedChain
        held : Training or None
            Held-out instances; None: both weights are 0.5.
        """
        weight = EQUAL
        if held is not None:
            first, second = (member.decision_function(held.X) for member in members)
            weight = best_weight(first, second, held.Y)
        self._set(members, weight)
        return self

    def size(self) -> Sizes:
        """Sizes of the fitted model, and the weights of the chains."""
        return replace(super().size(), shares=(1 - self.weight_, self.weight_))

    def inside(self) -> Mapping[str, Any]:
        """The fitted chains."""
        return {str(number): member for number, member in enumerate(self.members_)}

    def _unfitted(self, seed: int) -> list[Any]:
        self.check_settings()
        members, own = [], {"threads": self.threads, "normalize": self.normalize}
        for number, (name, usual) in enumerate(self.PARTS.items()):
            given = getattr(self, name)
            member = usual() if given is None else given
            members.append(clone(member).set_params(**own, seed=seed + number))
        members[0].check_settings()
        members[1].warm_start()
        return members

    def _set(self, members: list[Any], weight: float) -> None:
        self.members_, self.weight_ = members, weight
        self.n_features_in_, self.n_labels_ = members[0].n_features_in_, members[0].n_labels_

    def scores_by_block(self, X: CSR, threads: int) -> Iterator[tuple[int, Float32]]:
        """See ``ChainAnswers``."""
        size = max(1, BLOCK_ENTRIES // self.n_labels_)
        for begin in range(0, X.shape[0], size):
            block = X[begin : begin + size]
            first, second = (
                np.concatenate([scores for _, scores in member.scores_by_block(block, threads)])
                for member in self.members_
            )
            yield begin, combined(first, second, self.weight_)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        states, arrays = parts_to_state(self.inside())
        settings = self._plain_settings() | {"resequenced": None, "reinforced": None}
        config = {"settings": settings, "weight": self.weight_, "members": list(states.values())}
        return config | {"normalized_rows": self.normalized_rows_}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> CompositeChain:
        """The model of a model directory.

        Raises
        ------
        ModelFileError
            Settings or members that do not fit.
        """
        with damage_reported("the composite is"):
            model = cls(**config["settings"])
            model._unfitted(int(model.seed))
            weight = real_number("weight", config["weight"], 0, 1)
            model.normalized_rows_ = stored_count(config)
            members = [stored_part(str(number), state, arrays) for number, state in enumerate(config["members"])]
        fits = [type(member) for member in members] == [LabelChain, ReinforcedChain]
        if not fits or len({(member.n_features_in_, member.n_labels_) for member in members}) != 1:
            raise ModelFileError("the composite is damaged (its members do not fit): restore the model directory")
        model._set(members, weight)
        return model


def combined(first: Float32, second: Float32, weight: float) -> Float32:
    """Weighted mean of two score matrices, shape (n, L); labels without a training instance stay at -inf."""
    share = np.float32(weight)
    seen = first > -np.inf
    return np.where(seen, (1 - share) * np.where(seen, first, 0) + share * np.where(seen, second, 0), first)


def best_weight(first: Float32, second: Float32, Y: CSR) -> float:
    """The weight of the second member with the best ranking of held-out labels."""
    from ramify.chains.supervised import ranking_quality

    found = [ranking_quality(Y, combined(first, second, weight)) for weight in WEIGHTS]
    return WEIGHTS[int(np.argmax(found))]
