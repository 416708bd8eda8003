"""ReinforcedChain: a LabelChain (the warm start) that is trained further by policy gradient.

The warm start is needed: a policy that emits random labels has rewards near 0, and so has its gradient.

Jinseok Nam, Young-Bum Kim, Eneldo Loza Mencía, Sunghyun Park, Ruhi Sarikaya and Johannes Fürnkranz: Learning
Context-dependent Label Permutations for Multi-label Classification. ICML 2019, PMLR 97:4733-4742. The loss is in
``reinforced``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify.chains.answers import ChainAnswers
from ramify.chains.label_chain import LabelChain
from ramify.chains.order import order_of
from ramify.chains.rewards import REWARDS
from ramify.checks import Instance, OneOf, Real, Rules, Whole, rules_of
from ramify.errors import ModelFileError, damage_reported
from ramify.exchange import CheckedTraining, Training
from ramify.models.base.unit import stored_count
from ramify.store.parts import parts_to_state, stored_part
from ramify.torchloop import Environment, History, LoopConfig, OnEvent, train
from ramify.values import CSR, Float32, StageProgress


class ReinforcedChain(ChainAnswers):
    """A recurrent classifier chain trained by policy gradient after supervised training.

    Parameters
    ----------
    chain : LabelChain, optional
        The warm start; its network, ``held_out``, ``batch_size`` and ``patience`` are used in both stages. It is kept
        unless an epoch of the policy gradient ranks the held-out instances better. None: ``LabelChain()``.
    reward : {"dcg", "set-f1", "exact-match"}
        Reward of an action; the gain in DCG, the gain in F1 of the label set, or 1 for an exactly correct set.
    epochs : int, default 4
        Largest number of passes over the training instances after the warm start.
    learning_rate : float, default 0.0003
        Learning rate of AdamW in these passes.
    entropy : float, default 0.02
        Weight of the entropy bonus, which delays convergence to a deterministic policy.
    anchor : float, default 0.5
        Weight of the supervised cross-entropy in the loss.
    samples : int, default 2
        Sequences sampled per instance and step.
    normalize : bool, default True
        Divide each row of X by its Euclidean length in training and prediction; overrides the setting of the warm
        start.
    seed : int, default 0
        The same seed gives the same model for any number of threads on a CPU; overrides the seed of the warm start.
    threads : int, optional
        None: all CPUs.

    Attributes
    ----------
    chain_ : LabelChain
        The warm start with the parameters of the second stage.
    history_ : History
        Loss and held-out measure of each epoch of the policy gradient, also if the warm start is kept; those of the
        warm start: ``chain_.history_``.
    normalized_rows_ : int
        Training rows that were scaled to length 1; 0 without ``normalize``.
    n_features_in_, n_labels_ : int
        d and L.
    """

    RULES: ClassVar[Rules] = {
        "chain": Instance(LabelChain, "a LabelChain", optional=True),
        "reward": OneOf(tuple(REWARDS)),
        **rules_of(LabelChain, "epochs", "learning_rate"),
        "entropy": Real(0, 10),
        "anchor": Real(0, 1000),
        "samples": Whole(1, 1000),
        **rules_of(LabelChain, "normalize", "seed", "threads"),
    }
    FLAGS = ("reward", "epochs", "learning_rate", "samples", "normalize")
    PARTS = MappingProxyType({"chain": LabelChain})

    def __init__(
        self,
        chain: LabelChain | None = None,
        *,
        reward: str = "dcg",
        epochs: int = 4,
        learning_rate: float = 0.0003,
        entropy: float = 0.02,
        anchor: float = 0.5,
        samples: int = 2,
        normalize: bool = True,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.chain = chain
        self.reward = reward
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.entropy = entropy
        self.anchor = anchor
        self.samples = samples
        self.normalize = normalize
        self.seed = seed
        self.threads = threads

    def fit(
        self, X: Any, Y: Any, *, progress: StageProgress | None = None, on_event: OnEvent | None = None
    ) -> ReinforcedChain:
        """Train with supervision, then by policy gradient; parameters and errors as ``LabelChain.fit``."""
        self.check_settings()
        with self._restored_after_errors():
            training = self._checked_training(Training(X=X, Y=Y, progress=progress))
            return self.fit_parts(*self._held_out(training, self.warm_start().held_out), on_event=on_event)

    def _learn(self, training: CheckedTraining) -> None:
        self.fit_parts(*self._held_out(training, self.warm_start().held_out))

    def fit_parts(
        self,
        rest: CheckedTraining,
        held: CheckedTraining | None,
        *,
        on_event: OnEvent | None = None,
        start: LabelChain | None = None,
    ) -> ReinforcedChain:
        """Train on one part and evaluate on another; see ``LabelChain.fit_parts``.

        With ``start``, a fitted warm start, only the policy gradient follows; its network is replaced by the result.
        """
        chain = start or self.warm_start().fit_parts(rest.part_of_progress(0, 2), held, on_event=on_event)
        self.history_ = self._reinforce(chain, rest.part_of_progress(1, 2), held, on_event)
        return self._set_chain(chain)

    def warm_start(self) -> LabelChain:
        """The unfitted warm start; all settings are checked."""
        self.check_settings()
        chain: LabelChain = clone(self.chain or self.PARTS["chain"]())
        chain.set_params(seed=self.seed, threads=self.threads)
        chain.set_params(normalize=self.normalize)
        chain.check_settings()
        self._loop_config(chain, self.seed)
        return chain

    def _loop_config(self, chain: LabelChain, seed: int) -> LoopConfig:
        # No weight decay: the warm start had it.
        return replace(chain.loop_config(seed), epochs=self.epochs, learning_rate=self.learning_rate, weight_decay=0.0)

    def _reinforce(
        self, chain: LabelChain, rest: CheckedTraining, held: CheckedTraining | None, on_event: OnEvent | None
    ) -> History:
        import torch

        from ramify.chains.reinforced import ReinforcedTask

        data = chain.training_data(rest, held)
        environment = Environment(chain.device, self._threads(rest.threads))
        with environment.open(shared=True):
            network = chain.network(environment.device)
            task = ReinforcedTask(
                network,
                data,
                order_of(chain.order, data.seed),
                reward=REWARDS[self.reward],
                entropy=self.entropy,
                anchor=self.anchor,
                samples=self.samples,
            )
            network.eval()
            with torch.no_grad():
                before = task.measure()
            history = train(
                task,
                self._loop_config(chain, data.seed),
                environment,
                progress=lambda done: rest.report("train", done),
                on_event=on_event,
                checkpoint=chain.checkpoint_for("reinforced", data, self._identity()),
            )
        if not history.evaluations[history.best].measure <= before:  # without held-out instances both are NaN
            chain.set_network(network)
        return history

    def _identity(self) -> dict[str, Any]:
        settings = self._plain_settings()
        return {name: value for name, value in settings.items() if name not in ("chain", "threads")}

    def _set_chain(self, chain: LabelChain) -> ReinforcedChain:
        self.chain_ = chain
        self.n_features_in_, self.n_labels_ = chain.n_features_in_, chain.n_labels_
        return self

    def inside(self) -> Mapping[str, Any]:
        """The chain, with the parameters of both trainings."""
        return {"chain": self.chain_}

    def scores_by_block(self, X: CSR, threads: int) -> Iterator[tuple[int, Float32]]:
        """See ``ChainAnswers``."""
        return self.chain_.scores_by_block(X, threads)

    def chains(self, X: Any, *, beam: int = 1) -> list[list[int]]:
        """See ``LabelChain.chains``."""
        check_is_fitted(self)
        return self.chain_.chains(X, beam=beam)

    def predict_sets(self, X: Any, *, beam: int = 1) -> CSR:
        """See ``LabelChain.predict_sets``."""
        check_is_fitted(self)
        return self.chain_.predict_sets(X, beam=beam)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        states, arrays = parts_to_state(self.inside())
        settings = self._plain_settings() | {"chain": None}
        config = {"settings": settings, "history": self.history_.to_json()}
        return config | {"normalized_rows": self.normalized_rows_} | states, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> ReinforcedChain:
        """The model of a model directory.

        Raises
        ------
        ModelFileError
            Settings or arrays that do not fit.
        """
        with damage_reported("the chain is"):
            model = cls(**config["settings"])
            model.history_ = History.from_json(config["history"])
            model.normalized_rows_ = stored_count(config)
            chain = stored_part("chain", config["chain"], arrays)
            model.warm_start()
        if not isinstance(chain, LabelChain):
            raise ModelFileError("the chain is damaged (it holds no LabelChain): restore the model directory")
        return model._set_chain(chain)
