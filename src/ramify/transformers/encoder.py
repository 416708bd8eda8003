"""A pretrained encoder: token ids → one vector per text.

h = encoder(ids)          one hidden vector per token, shape (n, t, width)
mean    Σ_t mask·h / Σ_t mask      cls    h of the first token      pooler    the encoder's own output layer

Nils Reimers, Iryna Gurevych: Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks, EMNLP 2019.
"""

from __future__ import annotations

import copy
import inspect
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ramify.checks import OneOf, Whole
from ramify.errors import InputError, MissingExtraError
from ramify.torchloop.randomness import seed_of
from ramify.transformers.checkpoints import check_is_encoder, checkpoint_path, loading, own_pooling
from ramify.transformers.config import POOLING, EncoderConfig
from ramify.transformers.tokens import TextTokenizer
from ramify.wording import quoted

__all__ = ["EncoderConfig", "TextEncoder", "encoder_from_state", "encoder_to_state", "load_encoder", "merged"]

LORA_ALPHA_PER_RANK = 2
PREFIX = "weights/"
"""Prefix of the encoder's parameters among the arrays of a model directory."""


class TextEncoder(nn.Module):
    """An encoder of Hugging Face with a pooling.

    Parameters
    ----------
    model : PreTrainedModel
        An encoder without a task head; or one with adapters of peft.
    pooling : {"mean", "cls", "pooler"}
    max_tokens : int
        Largest number of tokens per text.

    Attributes
    ----------
    width : int
        Length of the vectors.
    max_tokens : int
        Tokens per text, not more than the positions of the encoder.
    """

    def __init__(self, model: Any, pooling: str, max_tokens: int) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.max_tokens = min(max_tokens, _most_tokens(model.config))
        self.width = int(model.config.hidden_size)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Vectors of texts, not normalised.

        Parameters
        ----------
        ids, mask : int64 tensors, shape (n, t)
            Token ids, and 1 for tokens, 0 for padding (see ``Tokens.padded``).

        Returns
        -------
        float32 tensor, shape (n, width)
        """
        output = self.model(input_ids=ids, attention_mask=mask)
        if self.pooling == "pooler":
            pooled: torch.Tensor = output.pooler_output
            return pooled.float()
        hidden: torch.Tensor = output.last_hidden_state
        if self.pooling == "cls":
            return hidden[:, 0].float()
        weights = mask.unsqueeze(-1).float()
        return (hidden.float() * weights).sum(1) / weights.sum(1)


def load_encoder(config: EncoderConfig) -> tuple[TextEncoder, TextTokenizer]:
    """The encoder and its tokenizer, in float32 on the CPU.

    Raises
    ------
    InputError
        An unknown name or directory; no fast tokenizer; a sequence-to-sequence or decoder-only model; weights that are
        missing or damaged; "pooler" for an encoder without one.
    MissingExtraError
        torch is not installed, or ``lora_rank`` is given without peft.
    """
    from transformers import AutoConfig, AutoModel

    path = checkpoint_path(config.name)
    with loading(config.name):
        own = AutoConfig.from_pretrained(path, trust_remote_code=False)
        check_is_encoder(config.name, own)
        pooling = own_pooling(path) if config.pooling == "auto" else config.pooling
        tokenizer = load_tokenizer(config.name, path)
        with torch.random.fork_rng(devices=[]):  # weights that the checkpoint lacks are random
            torch.manual_seed(seed_of(0))
            model, info = AutoModel.from_pretrained(path, config=own, output_loading_info=True, trust_remote_code=False)
    missing = sorted(name for name in info["missing_keys"] if pooling == "pooler" or not name.startswith("pooler."))
    if missing:
        raise InputError(
            f"the encoder {quoted(config.name)} has no weights {quoted(missing[0])}: give a complete checkpoint"
            + (", or another pooling" if missing[0].startswith("pooler.") else "")
        )
    encoder = TextEncoder(without_unused_pooler(model, pooling).float(), pooling, config.max_tokens)
    _check_works(encoder, config.name, tokenizer)
    if config.lora_rank:
        encoder.model = _with_adapters(encoder.model, config.lora_rank)
    return encoder.eval(), tokenizer


def load_tokenizer(name: str, path: str) -> TextTokenizer:
    """The tokenizer of a checkpoint; InputError without a fast one."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    backend = getattr(loaded, "backend_tokenizer", None)
    if not loaded.is_fast or backend is None or backend.get_vocab_size() <= len(loaded.all_special_tokens):
        raise InputError(
            f"the encoder {quoted(name)} has no fast tokenizer (tokenizer.json): give a checkpoint that has one"
        )
    backend.no_padding()
    backend.no_truncation()
    return TextTokenizer(backend, int(loaded.pad_token_id or 0))


def _most_tokens(config: Any) -> int:
    """Positions of an encoder that tokens can have; those of RoBERTa begin after the number of the padding token."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return 1_000_000
    offset = config.pad_token_id + 1 if _counts_from_padding(config) else 0
    return max(1, positions - offset)


def _counts_from_padding(config: Any) -> bool:
    kinds = ("roberta", "xlm-roberta", "camembert", "longformer", "mpnet", "xmod", "ibert", "data2vec-text", "esm")
    return any(config.model_type.startswith(kind) for kind in kinds) and config.pad_token_id is not None


def without_unused_pooler(model: Any, pooling: str) -> Any:
    """The model; its output layer is removed if the pooling does not use it."""
    if pooling != "pooler" and "add_pooling_layer" in inspect.signature(type(model).__init__).parameters:
        model.pooler = None
    return model


def _check_works(encoder: TextEncoder, name: str, tokenizer: TextTokenizer) -> None:
    """Encode one token, so that an encoder with other inputs or outputs is found before a long run."""
    ids = torch.full((1, 2), tokenizer.pad_id)
    try:
        with torch.no_grad():
            shape = tuple(encoder.eval()(ids, torch.ones_like(ids)).shape)
        if shape != (1, encoder.width):
            raise ValueError(f"vectors of shape {shape}")
    except (TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            f"the encoder {quoted(name)} does not give text vectors with pooling {encoder.pooling} ({reason}): "
            "choose another encoder or pooling"
        ) from None


def _with_adapters(model: Any, rank: int) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise MissingExtraError("adapters (lora_rank)", "torch", "peft") from None
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about names in transformers that peft uses
        torch.manual_seed(seed_of(0))
        settings = LoraConfig(r=rank, lora_alpha=LORA_ALPHA_PER_RANK * rank, target_modules="all-linear")
        return get_peft_model(model, settings)


def merged(encoder: TextEncoder) -> TextEncoder:
    """The encoder with its adapters added to its weights; itself without adapters. The given one is not changed."""
    if not hasattr(encoder.model, "merge_and_unload"):
        return encoder
    plain = copy.deepcopy(encoder.model).merge_and_unload()
    return TextEncoder(plain, encoder.pooling, encoder.max_tokens)


def encoder_to_state(encoder: TextEncoder, tokenizer: TextTokenizer) -> tuple[dict[str, Any], dict[str, Any]]:
    """(config, arrays) for a model directory; adapters are merged.

    Returns
    -------
    config : dict
        "hugging_face": the model's configuration; "pooling", "max_tokens", "pad_id".
    arrays : dict
        float32 parameters "weights/NAME", and "tokenizer", the bytes of ``tokenizer.json``.
    """
    plain = merged(encoder)
    arrays: dict[str, Any] = {
        PREFIX + name: tensor.detach().float().cpu().numpy().copy() for name, tensor in plain.model.state_dict().items()
    }
    arrays["tokenizer"] = np.frombuffer(tokenizer.to_json().encode(), np.uint8)
    config = {
        "hugging_face": json.loads(plain.model.config.to_json_string(use_diff=False)),
        "pooling": plain.pooling,
        "max_tokens": plain.max_tokens,
        "pad_id": tokenizer.pad_id,
    }
    return config, arrays


def encoder_from_state(config: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[TextEncoder, TextTokenizer]:
    """What ``encoder_to_state`` described, without access to the hub.

    Raises
    ------
    KeyError, TypeError, ValueError
        Settings or arrays that are missing or inconsistent; ``errors.damage_reported`` converts these.
    """
    pooling = OneOf(POOLING).check("pooling", config["pooling"])
    max_tokens = Whole(1, 1_000_000).check("max_tokens", config["max_tokens"])
    pad_id = Whole(0, 2**31 - 1).check("pad_id", config["pad_id"])
    tokenizer = TextTokenizer.from_json(np.asarray(arrays["tokenizer"], np.uint8).tobytes().decode(), pad_id)
    weights = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
    with torch.device("meta"):
        shapes = {name: tuple(one.shape) for name, one in _empty_model(config, pooling, weights).state_dict().items()}
    if shapes != {name: array.shape for name, array in weights.items()}:
        raise InputError("the weights of the encoder do not fit its configuration")
    with torch.random.fork_rng(devices=[]):  # the initial weights, which are replaced, are random
        model = _empty_model(config, pooling, weights)
    model.load_state_dict({name: torch.from_numpy(np.array(array, np.float32)) for name, array in weights.items()})
    return TextEncoder(model.float(), pooling, max_tokens).eval(), tokenizer


def _empty_model(config: Mapping[str, Any], pooling: str, weights: Mapping[str, Any]) -> Any:
    """A model of the stored configuration; only classes of the package transformers are made."""
    from transformers import AutoConfig, AutoModel

    fields = {name: value for name, value in config["hugging_face"].items() if name != "auto_map"}
    kind = fields.pop("model_type")
    layers = [value for name, value in fields.items() if "layers" in name and isinstance(value, int)]
    if max(layers, default=0) > len(weights):
        raise InputError("the encoder has fewer weights than layers")
    with loading(f"of type {kind}"):
        own = AutoConfig.for_model(kind, **fields)
        check_is_encoder(kind, own)
        return without_unused_pooler(AutoModel.from_config(own), pooling)
