"""A trained generator as JSON values and arrays for a model directory, without access to the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ramify.checks import Whole
from ramify.errors import InputError
from ramify.generate.label_tokens import Vocabulary
from ramify.generate.loading import check_generates
from ramify.generate.network import GenerationNetwork
from ramify.transformers.checkpoints import loading
from ramify.transformers.encoder import without_unused_pooler
from ramify.transformers.tokens import TextTokenizer

PREFIX = "weights/"
PAIR = "encoder-decoder"
"""Model type of an encoder with a decoder of another type."""

COUNTS = ("n_tokenizer", "start", "end", "n_clusters", "first_cluster_input", "fill_input", "max_tokens", "max_target")


def network_to_state(network: GenerationNetwork, tokenizer: TextTokenizer) -> tuple[dict[str, Any], dict[str, Any]]:
    """(config, arrays) of a network and its tokenizer; tied weights are stored once."""
    vocabulary = network.vocabulary
    arrays: dict[str, Any] = {"tokenizer": np.frombuffer(tokenizer.to_json().encode(), np.uint8)}
    stored = set()
    for name, tensor in network.state_dict(keep_vars=True).items():
        if tensor.data_ptr() not in stored:
            stored.add(tensor.data_ptr())
            arrays[PREFIX + name] = tensor.detach().float().cpu().numpy().copy()
    if vocabulary.pieces is not None:
        arrays["pieces"] = vocabulary.pieces
    config = {
        "hugging_face": json.loads(network.model.config.to_json_string(use_diff=False)),
        "n_tokenizer": vocabulary.n_tokenizer,
        "start": vocabulary.start,
        "end": vocabulary.end,
        "n_clusters": vocabulary.n_clusters,
        "first_cluster_input": network.first_cluster_input,
        "fill_input": network.fill_input,
        "max_tokens": network.max_tokens,
        "max_target": network.max_target,
    }
    return config, arrays


def network_from_state(
    config: Mapping[str, Any], arrays: Mapping[str, Any], variant: Any
) -> tuple[GenerationNetwork, TextTokenizer]:
    """What ``network_to_state`` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        Settings or arrays that are missing or inconsistent; ``errors.damage_reported`` converts these.
    """
    counts = {name: Whole(0, 2**31 - 1).check(name, config[name]) for name in COUNTS}
    tokenizer = TextTokenizer.from_json(
        np.asarray(arrays["tokenizer"], np.uint8).tobytes().decode(), counts["fill_input"]
    )
    pieces = np.asarray(arrays["pieces"], np.int32) if "pieces" in arrays else None
    vocabulary = Vocabulary(pieces, counts["n_tokenizer"], counts["start"], counts["end"], counts["n_clusters"])
    weights = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}

    def made() -> GenerationNetwork:
        model = _empty_model(config["hugging_face"], len(weights))
        network = GenerationNetwork(
            model.float(),
            vocabulary,
            counts["first_cluster_input"],
            max_tokens=max(1, counts["max_tokens"]),
            max_target=max(1, counts["max_target"]),
        )
        network.fill_input = counts["fill_input"]
        variant.prepare(network)
        return network

    with torch.device("meta"):  # sizes are compared before memory is allocated
        _check_weights(made(), weights)
    with torch.random.fork_rng(devices=[]):  # the initial weights, which are replaced, are random
        network = made()
    _set_weights(network, weights)
    _check_numbers(network, tokenizer)
    return network.eval(), tokenizer


def _check_weights(network: GenerationNetwork, weights: Mapping[str, Any]) -> None:
    """Raise InputError for weights that the network does not have, or of other shapes."""
    own = network.state_dict(keep_vars=True)
    if any(name not in own or tuple(own[name].shape) != array.shape for name, array in weights.items()):
        raise InputError("the weights of the generator do not fit its configuration")
    stored = {id(own[name]) for name in weights}
    largest = max((array.size for array in weights.values()), default=0)
    if any(id(tensor) not in stored and tensor.numel() > largest for tensor in own.values()):
        raise InputError("the generator lacks weights")


def _set_weights(network: GenerationNetwork, weights: Mapping[str, Any]) -> None:
    """Set all weights; a tied one is set by one of its names."""
    own = network.state_dict(keep_vars=True)
    places = {own[name].data_ptr() for name in weights}
    if any(tensor.data_ptr() not in places for tensor in own.values()):
        raise InputError("the generator lacks weights")
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise InputError("a weight of the generator is not a finite number")
    with torch.no_grad():
        for name, array in weights.items():
            own[name].copy_(torch.from_numpy(np.array(array, np.float32)))


def _check_numbers(network: GenerationNetwork, tokenizer: TextTokenizer) -> None:
    """Raise InputError for token numbers that the network does not have."""
    vocabulary = network.vocabulary
    n_inputs = len(network.model.get_encoder().get_input_embeddings().weight)
    n_outputs = len(network.model.get_output_embeddings().weight)
    largest = max(network.fill_input, tokenizer.backend.get_vocab_size() - 1)
    if network.guide is None and vocabulary.n_clusters:
        largest = max(largest, network.first_cluster_input + vocabulary.n_clusters - 1)
    if largest >= n_inputs or vocabulary.size != n_outputs or max(vocabulary.start, vocabulary.end) >= vocabulary.size:
        raise InputError("the tokens of the generator do not fit its network")


def _empty_model(fields: Mapping[str, Any], n_weights: int) -> Any:
    """A model of the stored configuration; only classes of the package transformers are made."""
    from transformers import AutoConfig, AutoModelForSeq2SeqLM, EncoderDecoderModel

    fields = {name: value for name, value in fields.items() if name != "auto_map"}
    kind = fields.pop("model_type")
    parts = [fields["encoder"], fields["decoder"]] if kind == PAIR else [fields]
    layers = [v for part in parts for name, v in part.items() if "layer" in name and isinstance(v, int)]
    if max(layers, default=0) > n_weights:
        raise InputError("the generator has fewer weights than layers")
    with loading(f"of type {kind}"):
        own = AutoConfig.for_model(kind, **fields)
        if kind == PAIR:
            model = EncoderDecoderModel(config=own)
            model.encoder = without_unused_pooler(model.encoder, "mean")
            return model
        check_generates(kind, own)
        return AutoModelForSeq2SeqLM.from_config(own)
