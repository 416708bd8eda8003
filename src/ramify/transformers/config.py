"""Settings of an encoder; the module is imported without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ramify.checks import CheckedWhenMade, OneOf, Parsed, Rules, Whole
from ramify.errors import InputError
from ramify.wording import quoted

POOLING = ("mean", "cls", "pooler")
FEWEST_TOKENS = 8


def _encoder_name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise InputError(f"encoder is {quoted(value)}, but must be the name or the directory of an encoder")
    return value


ENCODER_NAME = Parsed(_encoder_name, wanted_text="the name or the directory of an encoder")
"""Rule of settings that name an encoder; whether it exists is checked when it is loaded."""


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(CheckedWhenMade):
    """Which encoder, and how it is used.

    Parameters
    ----------
    name : str
        A repository of the Hugging Face hub, a directory, or "minilm" (see ``checkpoints.checkpoint_path``).
    pooling : {"auto", "mean", "cls", "pooler"}
        "auto": that of the checkpoint's sentence-transformers configuration if there is one, else "mean".
    max_tokens : int, default 128
        Largest number of tokens per text, special tokens included; at most the limit of the encoder is used.
    lora_rank : int, default 0
        Rank of low-rank adapters in all linear layers, which are trained in place of the encoder's weights (package
        peft); 0: all weights are trained.

    Raises
    ------
    InputError
        A value out of range.
    """

    name: str
    pooling: str = "auto"
    max_tokens: int = 128
    lora_rank: int = 0

    RULES: ClassVar[Rules] = {
        "name": ENCODER_NAME,
        "pooling": OneOf(("auto", *POOLING)),
        "max_tokens": Whole(FEWEST_TOKENS, 1_000_000),
        "lora_rank": Whole(0, 4096),
    }
