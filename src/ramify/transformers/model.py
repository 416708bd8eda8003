"""Base of the models with a fine-tuned encoder (texts and X → labels).

fit      encoder = fine_tune(encoder, texts, Y)                     the subclass
         h(text) = encoder(text) / |encoder(text)|
         ranker  = XRLinear().fit([tf-idf | h], Y)                  with a new tree from PIFA on [tf-idf | h]
predict  ranker.predict([tf-idf | h(text)])                         no head of the fine-tuning is used
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify.checks import SEED, THREADS, Instance, OneOf, Real, Rules, Whole, rules_of
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Sizes, Training
from ramify.models.base.adapter import as_model
from ramify.models.base.model import HELD_OUT, RankingModel
from ramify.models.base.reasons import Reasons
from ramify.models.base.stored import stored_size
from ramify.models.trees.disentangled import Disentangled
from ramify.models.trees.xr_linear import XRLinear
from ramify.store.parts import parts_to_state, stored_part
from ramify.torchloop import Environment, History, LoopConfig, require_torch
from ramify.torchloop.checkpoint import CHECKPOINT, described
from ramify.torchloop.environment import DEVICE, PRECISION, loaded_settings
from ramify.transformers.config import EncoderConfig
from ramify.transformers.serving import ServingEncoder, stored_weights, stored_width
from ramify.transformers.tokens import token_directory, tokenized, warn_of_truncation
from ramify.transformers.vectorizer import BACKENDS
from ramify.values import Float32, Hybrid, TopK

if TYPE_CHECKING:
    from ramify.transformers.fine_tuning import FineTuning

ENCODER = "encoder/"
"""Prefix of the encoder's arrays in a model directory."""

LOSSES = ("bce", "squared-hinge", "hinge")
"""Names of the losses of a head (see ``losses``)."""

NO_EFFECT = ("ranker", "backend", "checkpoint", "threads")
"""Settings that have no effect on the fine-tuning."""


def default_ranker() -> XRLinear:
    """The ranker where none is given: a wide beam, whose cost is small beside that of the encoder."""
    return XRLinear(beam=20, dense_weight=1.0)


class TransformerModel(RankingModel):
    """Base of the models with a fine-tuned encoder. A subclass implements ``_fine_tune``.

    Attributes
    ----------
    encoder_config_, encoder_arrays_ : dict
        The fine-tuned encoder and its tokenizer (see ``serving.ServingEncoder``).
    ranker_ : XRLinear or Disentangled
        The model on [tf-idf | embedding].
    histories_ : tuple of History
        Loss and held-out measure of each stage of the fine-tuning.
    n_features_in_, n_labels_ : int
        Number of columns of X and of labels.
    """

    encoder: str
    steps: int
    batch_size: int
    learning_rate: float
    max_tokens: int
    warmup: float
    weight_decay: float
    evaluate_every: int
    held_out: float
    copies: int
    ranker: XRLinear | None
    lora_rank: int
    micro_batch: int | None
    checkpoint: str | None
    device: str
    precision: str
    backend: str
    threads: int | None

    SHARED: ClassVar[Rules] = {
        "steps": Whole(1, 10**9),
        **rules_of(LoopConfig, "batch_size", "learning_rate"),
        "head_learning_rate": Real(1e-8, 100),
        "dropout": Real(0, 0.9),
        **rules_of(EncoderConfig, "max_tokens"),
        "warmup": Real(0, 1),
        **rules_of(LoopConfig, "weight_decay", "micro_batch"),
        "evaluate_every": Whole(1, 10**9),
        "held_out": HELD_OUT,
        "copies": Whole(1, 1000),
        "ranker": Instance(XRLinear, "an XRLinear", optional=True),
        **rules_of(EncoderConfig, "lora_rank"),
        "checkpoint": CHECKPOINT,
        "device": DEVICE,
        "precision": PRECISION,
        "backend": OneOf(BACKENDS),
        "seed": SEED,
        "threads": THREADS,
    }
    """Rules of the settings that all subclasses have, besides ``encoder``."""

    PARTS = MappingProxyType({"ranker": default_ranker})

    @property
    def needs(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"X", "texts"})

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"beam", "reasons"})

    def _fine_tune(self, run: FineTuning) -> tuple[History, ...]:
        """Train the encoder of a run in place; returns the history of each stage."""
        raise NotImplementedError

    def _learn(self, training: CheckedTraining) -> None:
        require_torch(f"{type(self).__name__} and other systems on torch")
        texts = training.texts or ()
        if len(texts) != training.Y.shape[0]:
            raise InputError(f"there are {len(texts)} texts, but Y has {training.Y.shape[0]} rows: give one text each")
        self._checked_ranker(training)
        from ramify.transformers.encoder import load_encoder

        environment = Environment(self.device, training.threads, self.precision)
        encoder, tokenizer = load_encoder(
            EncoderConfig(name=self.encoder, max_tokens=self.max_tokens, lora_rank=self.lora_rank)
        )
        if self.backend != "torch":  # an encoder that cannot be exported is found before it is trained
            ServingEncoder.of(encoder, tokenizer, self.backend)
        training.report("tokens", 0.0)
        directory = token_directory(len(texts), encoder.max_tokens)
        tokens = tokenized(tokenizer, texts, encoder.max_tokens, threads=training.threads, directory=directory)
        training.report("tokens", 1.0)
        warn_of_truncation(tokens.n_truncated, len(tokens), encoder.max_tokens)
        with environment.open(shared=True):
            run = self._run(training, encoder, tokens, environment)
            self.histories_ = self._fine_tune(run)
        serving = ServingEncoder.of(encoder, tokenizer, self.backend)
        embeddings = serving.embedded(tokens, self.device, training.threads, partial(training.report, "embed"))
        self.encoder_config_, self.encoder_arrays_ = serving.to_state()
        self.__dict__.pop("_loaded", None)
        X = Hybrid(training.X, embeddings)
        ranker = self._checked_ranker(training)
        fitted = as_model(ranker).fit_training(replace(Training(**vars(training)), X=X, texts=None))
        self._set_ranker(fitted, training.X.shape[1])

    def _checked_ranker(self, training: CheckedTraining) -> Any:
        """The unfitted ranker; with copies, a ``Disentangled`` around it."""
        ranker = default_ranker() if self.ranker is None else clone(self.ranker)
        if ranker.dense_weight is None:  # a choice on training texts would overrate embeddings fine-tuned on them
            ranker.set_params(dense_weight=1.0)
        ranker.set_params(seed=training.seed, threads=self.threads)
        ranker.check_settings()
        return ranker if self.copies == 1 else Disentangled(ranker, copies=self.copies, seed=training.seed)

    def _run(self, training: CheckedTraining, encoder: Any, tokens: Any, environment: Environment) -> FineTuning:
        from ramify.transformers.fine_tuning import FineTuning, held_out, identity_of

        settings = {name: described(value) for name, value in self._plain_settings().items() if name not in NO_EFFECT}
        rest, held = held_out(len(training), self.held_out, training.seed)
        return FineTuning(
            training=training,
            encoder=encoder,
            tokens=tokens,
            environment=environment,
            loops=(self._loop_config(training.seed, self.steps),),
            rest=rest,
            held=held,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
            identity={} if self.checkpoint is None else identity_of(training, encoder, settings),
        )

    def _loop_config(self, seed: int, steps: int) -> LoopConfig:
        return LoopConfig(
            steps=steps,
            batch_size=self.batch_size,
            micro_batch=self.micro_batch,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup=round(self.warmup * steps),
            evaluate_every=self.evaluate_every,
            patience=100_000,
            seed=seed,
        )

    def _set_ranker(self, ranker: Any, n_features: int) -> None:
        self.ranker_ = ranker
        self.n_features_in_, self.n_labels_ = n_features, ranker.n_labels_
        self.normalized_rows_ = ranker.normalized_rows_

    def _rank(self, request: CheckedRequest) -> TopK:
        """The ranking of the ranker on [tf-idf | embedding]; the embeddings are most of the work."""
        return as_model(self.ranker_).answer(self._for_ranker(request))

    def _for_ranker(self, request: CheckedRequest) -> Request:
        X = Hybrid(request.X, self.embeddings(request))
        return replace(Request(**vars(request)), X=X, texts=None, progress=None)

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """Contributions of the features and of the whole embedding in the ranker: see ``models.base.reasons``."""
        check_is_fitted(self)
        reasons: Reasons = self.ranker_.reasons(self._for_ranker(self._checked_request(request)), labels)
        return reasons

    def embeddings(self, request: Request) -> Float32:
        """Embeddings of the texts of a request: float32, shape (n, width), rows of length 1."""
        check_is_fitted(self)
        serving, threads = self._serving(), self._threads(request.threads)
        tokens = tokenized(serving.tokenizer, request.texts or (), serving.encoder.max_tokens, threads=threads)
        return serving.embedded(tokens, self.device, threads, request.report)

    def _serving(self) -> ServingEncoder:
        """The fine-tuned encoder, loaded on first use and kept."""
        kept: ServingEncoder | None = self.__dict__.get("_loaded")
        if kept is None:
            kept = self.__dict__["_loaded"] = ServingEncoder.from_state(self.encoder_config_, self.encoder_arrays_)
        return kept

    def _checked_request(self, request: Request) -> CheckedRequest:
        checked = super()._checked_request(request)
        n_texts, n_rows = len(checked.texts or ()), checked.X.shape[0]
        if n_texts != n_rows:
            raise InputError(f"there are {n_texts} texts, but X has {n_rows} rows: give one text per instance")
        return checked

    def _reachable(self) -> int:
        reachable = as_model(self.ranker_).size().reachable
        return self.n_labels_ if reachable is None else reachable

    def inside(self) -> Mapping[str, Any]:
        """The fitted ranker."""
        return {"ranker": self.ranker_}

    def size(self) -> Sizes:
        """Sizes of the ranker, with the weights of the encoder."""
        check_is_fitted(self)
        sizes = as_model(self.ranker_).size()
        own = stored_weights(self.encoder_config_, self.encoder_arrays_)
        return replace(sizes, features=self.n_features_in_, weights=sizes.weights + own)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_loaded"}

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory; without an indexer, which only training uses."""
        check_is_fitted(self)
        settings = self._plain_settings()
        for name in ("ranker", "preliminary_indexer"):
            settings.pop(name, None)
        inside, arrays = parts_to_state(self.inside())
        config = {"settings": settings, "encoder": self.encoder_config_, "n_features": self.n_features_in_, **inside}
        config["histories"] = [history.to_json() for history in self.histories_]
        return config, arrays | {ENCODER + name: array for name, array in self.encoder_arrays_.items()}

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> TransformerModel:
        """Restore the model from a model directory. The encoder is loaded when it is first used.

        Raises
        ------
        ModelFileError
            Invalid settings or arrays.
        """
        with damage_reported("the transformer model is"):
            ranker = stored_part("ranker", config["ranker"], arrays, parts)
            model = cls(**loaded_settings(config["settings"]))
            inner = getattr(ranker, "model_", ranker)
            if not isinstance(inner, XRLinear):
                raise InputError(f"its ranker is a {type(inner).__name__}")
            model.ranker = clone(inner)
            model.check_settings()
            model.encoder_config_ = dict(config["encoder"])
            model.encoder_arrays_ = {
                name.removeprefix(ENCODER): array for name, array in arrays.items() if name.startswith(ENCODER)
            }
            model.histories_ = tuple(History.from_json(rows) for rows in config["histories"])
            stored_weights(model.encoder_config_, model.encoder_arrays_)
            width = stored_size(stored_width(model.encoder_config_), "width")
            n_features = stored_size(config["n_features"], "n_features")
            if ranker.n_features_in_ != n_features + width:
                raise InputError(f"its ranker has {ranker.n_features_in_} features, but must have {n_features + width}")
            model._set_ranker(ranker, n_features)
        return model
