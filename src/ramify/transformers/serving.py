"""The encoder that a fitted model uses for predictions: the module of torch, or its export for onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ramify.models.base.stored import stored_size
from ramify.torchloop import Environment, require_torch
from ramify.transformers.onnx_encoder import OnnxEncoder, exported, onnx_from_state, onnx_to_state
from ramify.transformers.tokens import TextTokenizer, Tokens
from ramify.values import Float32

if TYPE_CHECKING:
    from ramify.transformers.encoder import TextEncoder


@dataclass(frozen=True)
class ServingEncoder:
    """An encoder and its tokenizer.

    Parameters
    ----------
    encoder : TextEncoder or OnnxEncoder
    tokenizer : TextTokenizer
    n_weights : int, default 0
        Number of weights of an exported encoder; those of a module of torch are counted in its state.
    """

    encoder: TextEncoder | OnnxEncoder
    tokenizer: TextTokenizer
    n_weights: int = 0

    @classmethod
    def of(cls, encoder: TextEncoder, tokenizer: TextTokenizer, backend: str) -> ServingEncoder:
        """A trained encoder, exported unless ``backend`` is "torch"; the module then moves to the CPU."""
        if backend == "torch":
            return cls(encoder, tokenizer)
        from ramify.transformers.encoder import merged

        plain = merged(encoder.cpu())
        n_weights = sum(parameter.numel() for parameter in plain.parameters())
        return cls(exported(plain, tokenizer, int8=backend == "onnx-int8"), tokenizer, n_weights)

    def embedded(
        self, tokens: Tokens, device: str, threads: int, report_progress: Callable[[float], None] | None = None
    ) -> Float32:
        """Embeddings of length 1: float32, shape (n, width). An export runs on the CPU."""
        if isinstance(self.encoder, OnnxEncoder):
            return self.encoder.embedded(tokens, threads, report_progress)
        from ramify.transformers.embedding import embedded

        with Environment(device, threads).open() as environment:
            return embedded(self.encoder, tokens, environment, report_progress=report_progress)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays) for a model directory."""
        if isinstance(self.encoder, OnnxEncoder):
            config, arrays = onnx_to_state(self.encoder, self.tokenizer)
            return config | {"n_weights": self.n_weights}, arrays
        from ramify.transformers.encoder import encoder_to_state

        return encoder_to_state(self.encoder, self.tokenizer)

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> ServingEncoder:
        """What ``to_state`` described; torch is needed for a module of torch only."""
        if "onnx" in arrays:
            return cls(*onnx_from_state(config, arrays), stored_weights(config, arrays))
        require_torch("models with an encoder")
        from ramify.transformers.encoder import encoder_from_state

        return cls(*encoder_from_state(config, arrays))


def stored_width(config: dict[str, Any]) -> Any:
    """Length of the embeddings, from a state."""
    return config["width"] if "width" in config else config["hugging_face"]["hidden_size"]


def stored_weights(config: dict[str, Any], arrays: dict[str, Any]) -> int:
    """Number of weights of an encoder, from a state."""
    if "onnx" in arrays:
        return stored_size(config["n_weights"], "n_weights")
    return sum(array.size for name, array in arrays.items() if name != "tokenizer")
