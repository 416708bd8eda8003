"""LabelChain: a recurrent classifier chain, which emits labels one after another until STOP.

fit      hold out a share of the instances; train on the others with their labels in the chosen order (``stages``)
predict  sample sequences; the score of a label is the estimated probability that it occurs in one (``decoding``)

Jinseok Nam, Young-Bum Kim, Eneldo Loza Mencía, Sunghyun Park, Ruhi Sarikaya and Johannes Fürnkranz: Learning
Context-dependent Label Permutations for Multi-label Classification. ICML 2019, PMLR 97:4733-4742.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.chains.answering import (
    PredictionNetwork,
    emitted_labels,
    prediction_network,
    scores_by_block,
    set_matrix,
    step_probabilities,
)
from ramify.chains.answers import ChainAnswers
from ramify.chains.order import ORDER
from ramify.chains.stored import PREFIX, checked_arrays, checked_counts, network_arrays, sizes_of, stored_network
from ramify.checks import SEED, THREADS, OneOf, Real, Rules, Whole, YesNo, rules_of, whole_number
from ramify.errors import damage_reported
from ramify.exchange import CheckedTraining, Sizes, Training
from ramify.models.base.model import HELD_OUT
from ramify.models.base.unit import stored_count
from ramify.torchloop import Checkpoint, Environment, History, LoopConfig, OnEvent, require_torch
from ramify.torchloop.checkpoint import CHECKPOINT, described, fingerprint
from ramify.torchloop.environment import DEVICE, loaded_settings
from ramify.values import CSR, Float32, Float64, StageProgress

if TYPE_CHECKING:
    from ramify.chains.network import ChainNetwork
    from ramify.chains.supervised import ChainData

FULL_SOFTMAX = 6_000
"""Largest number of labels that is trained with the full softmax by default."""

SAMPLED = 2_000
EPOCHS = Whole(1, 100_000)


class LabelChain(ChainAnswers):
    """A recurrent classifier chain.

    Parameters
    ----------
    order : {"resequenced", "frequent-first", "rare-first", "random", "fixed"}
        Order of an instance's labels in training; the network's own, which depends on the input; by frequency; a new
        arbitrary order per instance and epoch; one arbitrary order. In Python also an object such as
        ``ramify.chains.OwnOrder``.
    targets : {"next", "remaining"}, optional
        Target of each step in training; the next label of the order, or any label not yet emitted (only better with few
        labels per instance). None: "remaining" with the order "resequenced", else "next".
    embedding : int, default 128
        Width of the label vectors.
    hidden : int, default 256
        Width of encoded instances and states.
    dropout : float, default 0.5
        Share of units dropped in training, the same units at all steps.
    feature_dropout : float, default 0.3
        Share of an instance's features dropped in training.
    warmup : int, default 8
        Largest number of passes over the training instances in which every label is trained independently, before the
        chain is trained.
    epochs : int, default 8
        Largest number of passes over the training instances in which the chain is trained.
    batch_size : int, default 32
        Instances per step.
    learning_rate : float, default 0.01
        Learning rate of AdamW; multiplied by 0.3 after a warm-up.
    weight_decay : float, default 0.01
        Weight decay of AdamW.
    average : float, default 0.99
        Decay per step of the running average of the parameters, which is evaluated and kept; 0: no average.
    patience : int, default 3
        Epochs without a better measure on held-out instances before training stops.
    held_out : float, default 0.1
        Share of the instances held out for early stopping; 0: none.
    sampled : int, optional
        Negative labels sampled per batch; 0: full softmax. None: 0 up to 6,000 labels, else 2,000.
    draws : int, default 32
        Sequences sampled per instance in prediction; raise it if instances have many labels.
    longest : int, optional
        Largest number of labels per emitted sequence. None: the 99th percentile of the training instances' label
        counts.
    normalize : bool, default True
        Divide each row of X by its Euclidean length in training and prediction.
    checkpoint : str, optional
        Directory for the state of an unfinished fit; a fit with the same settings and data resumes from it.
    device : {"cpu", "cuda", "auto"}
        Device of torch; "auto": a GPU if there is one, else the CPU.
    seed : int, default 0
        The same seed gives the same model for any number of threads on a CPU.
    threads : int, optional
        None: all CPUs.

    Attributes
    ----------
    arrays_ : dict of float32 arrays
        Parameters of the network by name.
    label_counts_ : int64 array, shape (L,)
        Training instances per label; labels with 0 are never predicted.
    longest_ : int
        Largest number of labels per sequence.
    history_ : History
        Loss and held-out measure of each epoch after the warm-up.
    normalized_rows_ : int
        Training rows that were scaled to length 1; 0 without ``normalize``.
    n_features_in_, n_labels_ : int
        d and L.
    """

    RULES: ClassVar[Rules] = {
        "order": ORDER,
        "targets": OneOf(("next", "remaining"), optional=True),
        "embedding": Whole(1, 65_536),
        "hidden": Whole(1, 65_536),
        "dropout": Real(0, 0.9),
        "feature_dropout": Real(0, 0.9),
        "warmup": Whole(0, 100_000),
        "epochs": EPOCHS,
        **rules_of(LoopConfig, "batch_size", "learning_rate", "weight_decay", "average", "patience"),
        "held_out": HELD_OUT,
        "sampled": Whole(0, 2**31 - 1, optional=True),
        "draws": Whole(1, 10_000),
        "longest": Whole(1, 2**31 - 1, optional=True),
        "normalize": YesNo(),
        "checkpoint": CHECKPOINT,
        "device": DEVICE,
        "seed": SEED,
        "threads": THREADS,
    }
    FLAGS = (
        "order", "embedding", "hidden", "dropout", "epochs", "batch_size",
        "learning_rate", "draws", "device", "checkpoint",
    )  # fmt: skip

    def __init__(
        self,
        *,
        order: Any = "resequenced",
        targets: str | None = None,
        embedding: int = 128,
        hidden: int = 256,
        dropout: float = 0.5,
        feature_dropout: float = 0.3,
        warmup: int = 8,
        epochs: int = 8,
        batch_size: int = 32,
        learning_rate: float = 0.01,
        weight_decay: float = 0.01,
        average: float = 0.99,
        patience: int = 3,
        held_out: float = 0.1,
        sampled: int | None = None,
        draws: int = 32,
        longest: int | None = None,
        normalize: bool = True,
        checkpoint: str | None = None,
        device: str = "cpu",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.order = order
        self.targets = targets
        self.embedding = embedding
        self.hidden = hidden
        self.dropout = dropout
        self.feature_dropout = feature_dropout
        self.warmup = warmup
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.average = average
        self.patience = patience
        self.held_out = held_out
        self.sampled = sampled
        self.draws = draws
        self.longest = longest
        self.normalize = normalize
        self.checkpoint = checkpoint
        self.device = device
        self.seed = seed
        self.threads = threads

    def fit(
        self, X: Any, Y: Any, *, progress: StageProgress | None = None, on_event: OnEvent | None = None
    ) -> LabelChain:
        """Train the chain.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        Y : sparse or dense matrix, shape (n, L)
            Label assignments: entries above 0 are positive.
        progress : callable, optional
            Called with ("train", share done).
        on_event : callable, optional
            Called with a ``torchloop.Evaluation`` after each epoch.

        Raises
        ------
        InputError
            Settings or data out of range; the sentence names which.
        MissingExtraError
            torch is not installed.
        """
        self.check_settings()
        with self._restored_after_errors():
            training = self._checked_training(Training(X=X, Y=Y, progress=progress))
            return self.fit_parts(*self._held_out(training, self.held_out), on_event=on_event)

    def _learn(self, training: CheckedTraining) -> None:
        self.fit_parts(*self._held_out(training, self.held_out))

    def fit_parts(
        self,
        rest: CheckedTraining,
        held: CheckedTraining | None,
        *,
        on_event: OnEvent | None = None,
        start: ChainNetwork | None = None,
    ) -> LabelChain:
        """Train on one part and evaluate on another, with rows of X already scaled (``normalize``). Else as ``fit``.

        With ``start``, a network after its warm-up (``stages.warmed_up``), this network is trained further.
        """
        require_torch(f"{type(self).__name__} and other systems on torch")
        from ramify.chains.stages import train_stages

        data = self.training_data(rest, held)
        rest.report("train", 0.0)
        environment = Environment(self.device, self._threads(rest.threads))
        with environment.open(shared=True):
            network, self.history_ = train_stages(
                self, data, environment, lambda done: rest.report("train", done), on_event, start
            )
        self.label_counts_, self.longest_ = data.counts, data.longest
        self.n_features_in_, self.n_labels_ = rest.X.shape[1], rest.Y.shape[1]
        self.set_network(network)
        rest.report("train", 1.0)
        return self

    def training_data(self, rest: CheckedTraining, held: CheckedTraining | None) -> ChainData:
        """The training part and the held-out part with the settings that depend on them."""
        from ramify.chains.supervised import ChainData

        n_labels = rest.Y.shape[1]
        default = 0 if n_labels <= FULL_SOFTMAX else SAMPLED
        sampled = default if self.sampled is None else self.sampled
        return ChainData(
            X=rest.X,
            Y=rest.Y,
            held=None if held is None else (held.X, held.Y),
            counts=np.bincount(rest.Y.indices, minlength=n_labels).astype(np.int64),
            longest=self.longest or max(1, int(np.quantile(np.diff(rest.Y.indptr), 0.99, method="higher"))),
            dropout=self.dropout,
            feature_dropout=self.feature_dropout,
            sampled=min(sampled, n_labels),
            seed=rest.seed,
            targets=self.targets or ("remaining" if self.order == "resequenced" else "next"),
        )

    def loop_config(self, seed: int) -> LoopConfig:
        """Settings of the training loop for the chain, without the factor after a warm-up."""
        return LoopConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup=1,
            final_rate=0.05,
            decay_start=0,
            patience=self.patience,
            average=self.average,
            seed=seed,
        )

    def checkpoint_for(self, stage: str, data: ChainData, more: dict[str, Any] | None = None) -> Checkpoint | None:
        """The checkpoint of a training stage; None without the setting."""
        if self.checkpoint is None:
            return None
        free = ("draws", "checkpoint", "threads")
        settings = {name: value for name, value in self._plain_settings().items() if name not in free} | (more or {})
        settings = {name: described(value) for name, value in settings.items()}
        identity = {"stage": stage, "settings": settings | {"seed": data.seed}, "data": fingerprint(data.X, data.Y)}
        return Checkpoint(Path(self.checkpoint) / stage, identity)

    def scores_by_block(self, X: CSR, threads: int) -> Iterator[tuple[int, Float32]]:
        """See ``ChainAnswers``."""
        self.check_settings()
        environment = Environment(self.device, threads)
        return scores_by_block(self._prediction_network(environment), X, self.draws, environment)

    def chains(self, X: Any, *, beam: int = 1) -> list[list[int]]:
        """The labels of each instance in the order of emission, up to the chain's own STOP.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
        beam : int, default 1
            1: the most probable label at each step. More: the most probable sequence that a beam search of this width
            finds. It can be shorter, because the probability of a label set is split among its orders.
        """
        check_is_fitted(self)
        X, beam = self._features(X), whole_number("beam", beam, 1, 10_000)
        environment = Environment(self.device, self._threads())
        return emitted_labels(self._prediction_network(environment), X, beam, environment)

    def predict_sets(self, X: Any, *, beam: int = 1) -> CSR:
        """0/1 matrix, shape (n, L): the labels of ``chains``. STOP ends a set; no threshold is applied."""
        return set_matrix(self.chains(X, beam=beam), self.n_labels_)

    def step_probabilities(self, X: CSR, emitted: list[int]) -> Float64:
        """Probabilities of all labels and STOP before each step of a sequence, shape (steps, L + 1); for one instance.

        The steps are the labels and, unless the sequence has the largest length, STOP.
        """
        environment = Environment(self.device, 1)
        return step_probabilities(self._prediction_network(environment), self._features(X), emitted, environment)

    def _prediction_network(self, environment: Environment) -> PredictionNetwork:
        """The network in float64 on the device; loaded on first use and kept."""
        kept = self.__dict__.get("_network")
        if kept is None or kept[0] != environment.device:
            loaded = prediction_network(self.arrays_, self.label_counts_, self.longest_, environment.device)
            kept = self.__dict__["_network"] = (environment.device, loaded)
        network: PredictionNetwork = kept[1]
        return network

    def network(self, device: Any = "cpu") -> ChainNetwork:
        """A copy of the network in float32 for further training."""
        check_is_fitted(self)
        return stored_network(self.arrays_, device).float().train().requires_grad_(True)

    def set_network(self, network: ChainNetwork) -> None:
        """Replace the parameters of the chain by those of a network."""
        self.arrays_ = network_arrays(network)
        self.__dict__.pop("_network", None)

    def size(self) -> Sizes:
        """Sizes of the fitted model."""
        return replace(super().size(), weights=sum(array.size for array in self.arrays_.values()))

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_network"}

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory; an order object is not stored, as prediction does not use it."""
        check_is_fitted(self)
        settings = self._plain_settings()
        if not _is_plain(settings["order"]):
            settings["order"] = "resequenced"
        config = {"settings": settings, "sizes": sizes_of(self.arrays_), "longest": self.longest_}
        config |= {"normalized_rows": self.normalized_rows_}
        arrays = {PREFIX + name: array for name, array in self.arrays_.items()}
        return config | {"history": self.history_.to_json()}, arrays | {"label_counts": self.label_counts_}

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> LabelChain:
        """The model of a model directory.

        Raises
        ------
        ModelFileError
            Settings or arrays that do not fit.
        """
        with damage_reported("the chain is"):
            model = cls(**loaded_settings(config["settings"]))
            model.check_settings()
            model.normalized_rows_ = stored_count(config)
            sizes = {name: whole_number(name, value, 1, 2**31 - 1) for name, value in config["sizes"].items()}
            model.arrays_ = checked_arrays(arrays, sizes)
            model.label_counts_ = checked_counts(arrays, sizes["n_labels"])
            model.longest_ = whole_number("longest", config["longest"], 1, 2**31 - 1)
            model.history_ = History.from_json(config["history"])
        model.n_features_in_, model.n_labels_ = sizes["n_features"], sizes["n_labels"]
        return model


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
