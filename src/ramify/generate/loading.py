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
from ramify.generate.mcg import MOST_CLUSTERS, cluster_tokens
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
    if not isinstance(getattr(own, "vocab_size", None), int):
        raise InputError(
            f"{quoted(config.name)} is composed of two models with a vocabulary each, which is not supported: give an "
            "encoder-decoder such as T5 or BART, or its encoder alone"
        )
    start, end = _token(config.name, own, "decoder_start_token_id"), _token(config.name, own, "eos_token_id")
    _check_positions(config, own)
    n_tokenizer = max(int(own.vocab_size), tokenizer.backend.get_vocab_size())
    vocabulary = Vocabulary(None, n_tokenizer, start, end, config.n_clusters)
    with loading(config.name):
        model.resize_token_embeddings(vocabulary.size, mean_resizing=False)
    pieces = name_pieces(tokenizer, names, [start, end], most=config.max_target - 1, threads=config.threads)
    network = GenerationNetwork(
        model.float(),
        vocabulary,
        vocabulary.first_cluster,
        max_tokens=_most_tokens(own, config),
        max_target=config.max_target,
    )
    network.fill_input = tokenizer.pad_id
    _check_works(config.name, network)
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


def _appended(config: NetworkConfig) -> int:
    """Number of places that cluster tokens may take behind a text."""
    return min(MOST_CLUSTERS, config.n_clusters) if config.appended else 0


def _most_target(config: NetworkConfig) -> int:
    """Largest number of tokens that the decoder writes: of labels, or of clusters."""
    return max(config.max_target, cluster_tokens(config.n_clusters) if config.appended else 0)


def _positions(own: Any, part: str) -> int | None:
    """Number of positions of the encoder or decoder; None without a limit, as of T5."""
    for name in (f"max_{part}_position_embeddings", "max_position_embeddings"):
        value = getattr(own, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def _check_positions(config: NetworkConfig, own: Any) -> None:
    """Raise InputError if the decoder has fewer positions than a sequence of labels or clusters has tokens."""
    positions = _positions(own, "decoder")
    if positions is not None and _most_target(config) > positions:
        raise InputError(
            f"a sequence of labels or clusters has up to {_most_target(config)} tokens, but the decoder of "
            f"{quoted(config.name)} has {positions} positions: lower max_target or clusters"
        )


def _most_tokens(own: Any, config: NetworkConfig) -> int:
    """Largest number of tokens per text, so that appended clusters have positions, too."""
    positions = _positions(own, "encoder")
    return config.max_tokens if positions is None else max(1, min(config.max_tokens, positions - _appended(config)))


def _check_works(name: str, network: GenerationNetwork) -> None:
    """Generate one token, so that a model with other inputs or outputs is found before a long run."""
    ids = torch.full((1, 2), network.fill_input)
    try:
        with torch.no_grad():
            states = network.eval().encode(ids, torch.ones_like(ids))
            found = network.cached(states, torch.ones_like(ids)).log_probabilities(ids[:, 0])
        if tuple(found.shape) != (1, network.vocabulary.size):
            raise ValueError(f"probabilities of shape {tuple(found.shape)}")
    except (TypeError, ValueError, AttributeError, RuntimeError, IndexError, KeyError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            f"{quoted(name)} does not generate texts in the usual way ({reason}): give an encoder-decoder such as "
            "T5 or BART, or an encoder such as BERT"
        ) from None


def _with_new_decoder(
    config: NetworkConfig, names: Sequence[str]
) -> tuple[GenerationNetwork, TextTokenizer, LabelTokens]:
    encoder, tokenizer = load_encoder(EncoderConfig(name=config.name, max_tokens=config.max_tokens + _appended(config)))
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
    network = GenerationNetwork(
        model,
        vocabulary,
        first_cluster,
        max_tokens=max(1, encoder.max_tokens - _appended(config)),
        max_target=config.max_target,
        new=DECODER,
    )
    network.fill_input = tokenizer.pad_id
    return network.eval(), tokenizer, as_output(pieces, vocabulary)


def _new_decoder(config: NetworkConfig, encoder: TextEncoder, vocabulary: Vocabulary) -> Any:
    """A decoder with normalisation before each block, as of GPT-2, which trains from random weights without care."""
    from transformers import GPT2Config, GPT2LMHeadModel

    own = GPT2Config(
        vocab_size=vocabulary.size,
        n_positions=_most_target(config) + 1,
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
