"""The sequence-to-sequence network: text → encoder states → output tokens.

p(y_t | x, y_1..y_{t-1})        Transformer with attention to the encoder's states: a pretrained encoder-decoder, or a
                                pretrained encoder with a small decoder over the sub-words of the labels
loss = -Σ_t log p(y_t | x, y_1..y_{t-1})

Colin Raffel et al.: Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer, JMLR 21, 2020.
Sascha Rothe, Shashi Narayan, Aliaksei Severyn: Leveraging Pre-trained Checkpoints for Sequence Generation Tasks.
TACL 8, 2020.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ramify.generate.label_tokens import Vocabulary
from ramify.generate.targets import FILL


class GenerationNetwork(nn.Module):
    """A sequence-to-sequence model with the vocabulary of its outputs.

    Parameters
    ----------
    model : PreTrainedModel
        An encoder-decoder of Hugging Face.
    vocabulary : Vocabulary
    first_cluster_input : int
        Input id of cluster 0; the others follow.
    max_tokens, max_target : int
        Largest number of tokens per text, and per target.
    new : tuple of str
        Prefixes of the parameters of ``model`` that are not pretrained.

    Attributes
    ----------
    fill_input : int
        Input id that fills the rows of a batch.
    guide : Module or None
        What a variant trains besides the model.
    """

    def __init__(
        self,
        model: Any,
        vocabulary: Vocabulary,
        first_cluster_input: int,
        *,
        max_tokens: int,
        max_target: int,
        new: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.model = model
        self.vocabulary = vocabulary
        self.first_cluster_input = first_cluster_input
        self.max_tokens = max_tokens
        self.max_target = max_target
        self.new = new
        self.fill_input = 0
        self.guide: Any = None
        renamed = "cache" in inspect.signature(type(model).forward).parameters  # in newer versions of transformers
        self._cache_name = "cache" if renamed else "past_key_values"

    @property
    def width(self) -> int:
        """Length of the encoder's states."""
        return encoder_width(self.model)

    def encode(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """States of the encoder.

        Parameters
        ----------
        ids, mask : int64 tensors, shape (n, t)
            Input ids, and 1 for ids, 0 for padding (see ``Tokens.padded``).

        Returns
        -------
        tensor, shape (n, t, width)
        """
        states: torch.Tensor = self.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        return states

    def logits(
        self, states: torch.Tensor, mask: torch.Tensor, outputs: torch.Tensor, cache: Any = None
    ) -> torch.Tensor:
        """Logits of the token after each given one.

        Parameters
        ----------
        states : tensor, shape (n, t, width)
        mask : int64 tensor, shape (n, t)
        outputs : int64 tensor, shape (n, steps)
            The tokens before; with a cache, only those that are not in it.
        cache : EncoderDecoderCache, optional
            Keys and values of earlier steps; extended in place.

        Returns
        -------
        tensor, shape (n, steps, size of the vocabulary)
        """
        from transformers.modeling_outputs import BaseModelOutput

        before = 0 if cache is None else cache.get_seq_length()
        found: torch.Tensor = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=mask,
            decoder_input_ids=outputs,
            decoder_attention_mask=outputs.new_ones(len(outputs), before + outputs.shape[1]),
            use_cache=cache is not None,
            **{self._cache_name: cache},
        ).logits
        return found

    def sequence_loss(self, states: torch.Tensor, mask: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Sum of -log p of all target tokens.

        Parameters
        ----------
        states, mask
            As in ``logits``.
        targets : int64 tensor, shape (n, steps)
            ``FILL`` after the end of a sequence.
        """
        before = functional.pad(targets[:, :-1], (1, 0), value=self.vocabulary.start)
        before = before.masked_fill(before == FILL, self.vocabulary.start)
        logits = self.logits(states, mask, before)
        places = targets != FILL
        return functional.cross_entropy(logits[places].float(), targets[places], reduction="sum")

    def cached(self, states: torch.Tensor, mask: torch.Tensor) -> CachedDecoder:
        """A decoder that computes one step at a time."""
        return CachedDecoder(self, states, mask)

    def pretrained_parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Trained parameters: the pretrained ones, and the new ones."""
        pretrained: list[nn.Parameter] = []
        new: list[nn.Parameter] = []
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                is_new = not name.startswith("model.") or name.removeprefix("model.").startswith(self.new or ("\0",))
                (new if is_new else pretrained).append(parameter)
        return pretrained, new


class CachedDecoder:
    """The decoder with the keys and values of its earlier steps.

    Parameters
    ----------
    network : GenerationNetwork
    states, mask : tensors
        As in ``GenerationNetwork.logits``, one row per hypothesis.
    """

    def __init__(self, network: GenerationNetwork, states: torch.Tensor, mask: torch.Tensor) -> None:
        from transformers.cache_utils import DynamicCache, EncoderDecoderCache

        self.network, self.states, self.mask = network, states, mask
        self.cache = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def log_probabilities(self, tokens: torch.Tensor) -> torch.Tensor:
        """Log probabilities after one more token per hypothesis: float32, shape (n, size of the vocabulary)."""
        logits = self.network.logits(self.states, self.mask, tokens[:, None], self.cache)
        return torch.log_softmax(logits[:, -1].float(), dim=1)

    def keep(self, rows: torch.Tensor) -> None:
        """Continue with some hypotheses, in the given order; a number may occur several times."""
        self.states, self.mask = self.states[rows], self.mask[rows]
        self.cache.reorder_cache(rows)


def encoder_width(model: Any) -> int:
    """Length of the encoder's states of an encoder-decoder."""
    config = model.get_encoder().config
    return int(getattr(config, "hidden_size", None) or config.d_model)
