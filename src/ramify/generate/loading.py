"""Pretrained networks for generation: an encoder-decoder of Hugging Face, or an encoder with a new, small decoder.

encoder-decoder       its output vocabulary receives the separator and the clusters
encoder               a new decoder over the sub-words of the label names, whose vectors are those of the encoder
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ramify.errors import InputError
from ramify.generate.label_tokens import N_SPECIAL, LabelTokens, Vocabulary, as_output, name_pieces
from ramify.generate.mcg import MOST_CLUSTERS
from ramify.generate.network import GenerationNetwork
from ramify.torchloop.randomness import seed_of
from ramify.transformers.checkpoints import checkpoint_path, loading
from ramify.transformers.config import EncoderConfig
from ramify.transformers.encoder import TextEncoder, load_encoder, load_tokenizer
from ramify.transformers.tokens import TextTokenizer
from ramify.wording import quoted

HEAD_WIDTH = 64
DROPOUT = 0.1
DECODER = ("decoder.",)
"""Prefix of the parameters that an encoder without a decoder receives."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What to load.

    Parameters
    ----------
    name : str
        Pretrained encoder or encoder-decoder.
    decoder_layers : int
        Of a new decoder.
    n_clusters : int
        Clusters whose tokens are added; 0: none.
    appended : bool
        Whether cluster tokens are appended to texts.
    max_tokens, max_target : int
        Largest number of tokens per text and target.
    seed : int
        Of new weights.
    threads : int
    """

    name: str
    decoder_layers: int
    n_clusters: int
    appended: bool
    max_tokens: int
    max_target: int
    seed: int
    threads: int


def load_network(config: NetworkConfig, names: Sequence[str]) -> tuple[GenerationNetwork, TextTokenizer, LabelTokens]:
    """The network, in float32 on the CPU, its tokenizer, and the tokens of the label names.

    Raises
    ------
    InputError
        A name or directory without a model, a decoder-only model, a model of other data than text, no fast tokenizer,
        or label names as in ``name_pieces``.
    """
    from transformers import AutoConfig

    path = checkpoint_path(config.name)
    with loading(config.name):
        own = AutoConfig.from_pretrained(path, trust_remote_code=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(config.seed))
        if getattr(own, "is_encoder_decoder", False):
            return _pretrained_pair(config, path, own, names)
        return _with_new_decoder(config, names)


def check_generates(name: str, config: Any) -> None:
    """Raise InputError unless a configuration is of an encoder-decoder of texts."""
    from transformers.models.auto import modeling_auto

    kind = getattr(config, "model_type", "")
    if kind not in modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        raise InputError(
            f"{quoted(name)} is a model of type {kind}, which does not generate texts from texts: give an "
            "encoder-decoder such as T5 or BART, or an encoder such as BERT"
        )


def _pretrained_pair(
    config: NetworkConfig, path: str, own: Any, names: Sequence[str]
) -> tuple[GenerationNetwork, TextTokenizer, LabelTokens]:
    from transformers import AutoModelForSeq2SeqLM

    check_generates(config.name, own)
    with loading(config.name):
        tokenizer = load_tokenizer(config.name, path)
        model, info = AutoModelForSeq2SeqLM.from_pretrained(
            path, config=own, output_loading_info=True, trust_remote_code=False
        )
    if info["missing_keys"]:
        missing = quoted(min(info["missing_keys"]))
        raise InputError(f"the model {quoted(config.name)} has no weights {missing}: give a complete checkpoint")
    start, end = _token(config.name, own, "decoder_start_token_id"), _token(config.name, own, "eos_token_id")
    n_tokenizer = max(int(own.vocab_size), tokenizer.backend.get_vocab_size())
    vocabulary = Vocabulary(None, n_tokenizer, start, end, config.n_clusters)
    with loading(config.name):
        model.resize_token_embeddings(vocabulary.size, mean_resizing=False)
    pieces = name_pieces(tokenizer, names, [start, end], most=config.max_target - 1, threads=config.threads)
    network = GenerationNetwork(model.float(), vocabulary, vocabulary.first_cluster, _places(own, config))
    network.fill_input = tokenizer.pad_id
    return network.eval(), tokenizer, as_output(pieces, vocabulary)


def _token(name: str, own: Any, field: str) -> int:
    value = getattr(own, field, None)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, int):
        raise InputError(
            f"the configuration of {quoted(name)} has no {field}: give a model that was trained to generate"
        )
    return value


def _places(own: Any, config: NetworkConfig) -> int:
    """Largest number of tokens per text, so that appended clusters have places, too."""
    appended = min(MOST_CLUSTERS, config.n_clusters) if config.appended else 0
    positions = getattr(own, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return config.max_tokens
    return max(1, min(config.max_tokens, positions - appended))


def _with_new_decoder(
    config: NetworkConfig, names: Sequence[str]
) -> tuple[GenerationNetwork, TextTokenizer, LabelTokens]:
    encoder, tokenizer = load_encoder(EncoderConfig(name=config.name, max_tokens=config.max_tokens))
    pieces = name_pieces(tokenizer, names, [], most=config.max_target - 1, threads=config.threads)
    used = np.unique(pieces.ids).astype(np.int32)
    inputs = encoder.model.get_input_embeddings().weight
    vocabulary = Vocabulary(used, len(inputs), 0, 1, config.n_clusters)
    decoder = _new_decoder(config, encoder, vocabulary)
    with torch.no_grad():
        decoder.get_input_embeddings().weight[N_SPECIAL : N_SPECIAL + len(used)] = inputs[torch.from_numpy(used).long()]
    first_cluster = len(inputs)
    if config.appended:
        with loading(config.name):
            encoder.model.resize_token_embeddings(first_cluster + config.n_clusters, mean_resizing=False)
    with loading(config.name):
        from transformers import EncoderDecoderModel

        model = EncoderDecoderModel(encoder=encoder.model, decoder=decoder)
    most = _places(encoder.model.config, config)
    network = GenerationNetwork(model, vocabulary, first_cluster, min(most, encoder.max_tokens), DECODER)
    network.fill_input = tokenizer.pad_id
    return network.eval(), tokenizer, as_output(pieces, vocabulary)


def _new_decoder(config: NetworkConfig, encoder: TextEncoder, vocabulary: Vocabulary) -> Any:
    """A decoder with normalisation before each block, as of GPT-2, which trains from random weights without care."""
    from transformers import GPT2Config, GPT2LMHeadModel

    own = GPT2Config(
        vocab_size=vocabulary.size,
        n_positions=config.max_target + 1,
        n_embd=encoder.width,
        n_layer=config.decoder_layers,
        n_head=encoder.width // HEAD_WIDTH if encoder.width % HEAD_WIDTH == 0 else 1,
        resid_pdrop=DROPOUT,
        embd_pdrop=DROPOUT,
        attn_pdrop=DROPOUT,
        bos_token_id=vocabulary.start,
        eos_token_id=vocabulary.end,
        pad_token_id=vocabulary.start,
        add_cross_attention=True,
        is_decoder=True,
    )
    with loading(config.name):
        return GPT2LMHeadModel(own)
