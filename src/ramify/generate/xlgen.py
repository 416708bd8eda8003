"""XLGen: labels written by a sequence-to-sequence model, guided by clusters of labels.

fit      tokens of the texts and of the label names; clusters of the labels ("bcl", "mcg"); training (``fitting``)
predict  encode the text, generate label sequences by beam search in the trie of the label names, score their labels

Taehee Jung, Joo-Kyung Kim, Sungjin Lee, Dongyeop Kang: Cluster-Guided Label Generation in Extreme Multi-Label
Classification. EACL 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.checks import SEED, THREADS, OneOf, Parsed, Real, Rules, Whole, rules_of
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Sizes
from ramify.generate.open_labels import NearestName, Written
from ramify.generate.state import check_tokens, from_state, to_state
from ramify.generate.targets import ORDER_NAMES
from ramify.models.base.adapter import labels_above, restricted
from ramify.models.base.model import HELD_OUT, RankingModel
from ramify.strings import StringTable
from ramify.torchloop import Environment, LoopConfig, require_torch
from ramify.torchloop.checkpoint import CHECKPOINT
from ramify.torchloop.environment import DEVICE, PRECISION, loaded_settings
from ramify.transformers.config import ENCODER_NAME, EncoderConfig
from ramify.values import CSR, LabelTree, TopK, as_csr, nonzero
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.generate.serving import ServingGenerator

VARIANTS = ("base", "bcl", "mcg")
DECODINGS = ("closed", "open")
NO_EFFECT = ("beam", "decoding", "similarity", "checkpoint", "threads")
"""Settings that have no effect on the training."""


def _label_tree(value: Any) -> Any:
    if isinstance(getattr(value, "tree_", value), LabelTree):
        return value
    raise InputError(f"cluster_tree is {quoted(value)}, but must be a LabelTree or a fitted model with a tree")


class XLGen(RankingModel):
    """A sequence-to-sequence model that writes the names of the labels.

    Parameters
    ----------
    encoder : str, default "minilm"
        Pretrained network; "minilm", a repository of Hugging Face, or a directory. An encoder-decoder such as T5 is
        used as it is; an encoder receives a decoder over the sub-words of the label names.
    variant : {"base", "bcl", "mcg"}
        Guidance by clusters of labels: none; a cluster head whose clusters are an input of the decoder; clusters that
        are generated first.
    order : {"frequent-first", "rare-first", "alphabetical", "random", "resequenced", "fixed"}
        Order of an instance's labels in training; by frequency, by name, a new one per epoch, the network's own, or one
        arbitrary order.
    clusters : int, default 30
        Number of clusters of labels (k-means of mean embeddings); not used by "base".
    cluster_tree : LabelTree or fitted model with a tree, optional
        Clusters are the nodes of its level with about ``clusters`` nodes. None: k-means.
    cluster_weight : float, default 1.0
        Weight of the loss of the cluster head ("bcl").
    decoder_layers : int, default 2
        Layers of the decoder of an encoder.
    epochs : int, default 10
        Largest number of passes over the training texts.
    denoise : int, default 0
        Passes over the label names, some of whose words are left out, before the training.
    batch_size : int, default 32
        Texts per step.
    learning_rate : float, default 1e-4
        Learning rate of pretrained weights; of AdamW, after the warm-up.
    decoder_learning_rate : float, default 1e-3
        Learning rate of new weights.
    max_tokens : int, default 128
        Largest number of tokens per text; longer texts are truncated.
    max_target : int, default 96
        Largest number of tokens per label sequence; in training, labels beyond it are left out.
    beam : int, default 5
        Sequences per text in prediction, whose labels are merged; 1: greedy.
    decoding : {"closed", "open"}
        Whether only names of labels are generated; or any string, matched to the names.
    similarity : float, default 0.8
        Least similarity of an open string to the name of its label; 1: equal names only.
    warmup : float, default 0.1
        Share of the training in which the learning rate rises; it falls linearly afterwards.
    weight_decay : float, default 0.01
        Weight decay of AdamW, without biases and normalisation layers.
    micro_batch : int, optional
        Largest number of texts per forward pass; gradients are accumulated. None: no limit.
    patience : int, default 3
        Epochs without a better measure on held-out texts before training stops. The best epoch is kept.
    held_out : float, default 0.05
        Share of the texts that are held out from the training, at most 256 texts.
    checkpoint : str, optional
        Directory for the state of an unfinished fit; a fit with the same settings and data resumes from it.
    device : {"cpu", "cuda", "auto"}
        Device of torch; "auto": a GPU if there is one, else the CPU.
    precision : {"native", "auto", "float32", "bfloat16"}
        Number format of the forward passes of the training; "native": bfloat16 on a GPU or CPU with instructions for
        it, else float32; "auto": bfloat16 on a GPU only. Predictions on a CPU are float32.
    seed : int, default 0
        The same seed gives the same model for any number of threads on a CPU.
    threads : int, optional
        None: all CPUs.

    Attributes
    ----------
    network_config_, network_arrays_ : dict
        The network and its tokenizer (see ``stored``).
    label_tokens_ : LabelTokens
        Output tokens of the label names.
    generated_ : int64 array
        Labels that can be generated; of labels with equal tokens, the most frequent one.
    label_names_ : StringTable
        Names of the labels.
    clusters_ : csr_matrix, shape (L, K)
        Clusters of the labels; K = 0 for "base".
    histories_ : tuple of History
        Loss and held-out micro F1 of the epochs; with ``denoise``, first the loss on the names.
    n_labels_ : int
        Number of labels.
    """

    RULES: ClassVar[Rules] = {
        "encoder": ENCODER_NAME,
        "variant": OneOf(VARIANTS),
        "order": OneOf(ORDER_NAMES),
        "clusters": Whole(2, 100_000),
        "cluster_tree": Parsed(_label_tree, wanted_text="a tree", optional=True),
        "cluster_weight": Real(0, 1000),
        "decoder_layers": Whole(1, 100),
        "epochs": Whole(1, 100_000),
        "denoise": Whole(0, 20),
        **rules_of(LoopConfig, "batch_size", "learning_rate"),
        "decoder_learning_rate": Real(1e-8, 10),
        **rules_of(EncoderConfig, "max_tokens"),
        "max_target": Whole(2, 4096),
        "beam": Whole(1, 1000),
        "decoding": OneOf(DECODINGS),
        "similarity": Real(0, 1),
        "warmup": Real(0, 1),
        **rules_of(LoopConfig, "weight_decay", "micro_batch", "patience"),
        "held_out": HELD_OUT,
        "checkpoint": CHECKPOINT,
        "device": DEVICE,
        "precision": PRECISION,
        "seed": SEED,
        "threads": THREADS,
    }
    FLAGS = (
        "encoder", "variant", "clusters", "epochs", "denoise", "max_tokens", "decoding", "checkpoint", "device",
    )  # fmt: skip

    def __init__(
        self,
        *,
        encoder: str = "minilm",
        variant: str = "base",
        order: str = "frequent-first",
        clusters: int = 30,
        cluster_tree: Any = None,
        cluster_weight: float = 1.0,
        decoder_layers: int = 2,
        epochs: int = 10,
        denoise: int = 0,
        batch_size: int = 32,
        learning_rate: float = 1e-4,
        decoder_learning_rate: float = 1e-3,
        max_tokens: int = 128,
        max_target: int = 96,
        beam: int = 5,
        decoding: str = "closed",
        similarity: float = 0.8,
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        micro_batch: int | None = None,
        patience: int = 3,
        held_out: float = 0.05,
        checkpoint: str | None = None,
        device: str = "cpu",
        precision: str = "native",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.encoder = encoder
        self.variant = variant
        self.order = order
        self.clusters = clusters
        self.cluster_tree = cluster_tree
        self.cluster_weight = cluster_weight
        self.decoder_layers = decoder_layers
        self.epochs = epochs
        self.denoise = denoise
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.decoder_learning_rate = decoder_learning_rate
        self.max_tokens = max_tokens
        self.max_target = max_target
        self.beam = beam
        self.decoding = decoding
        self.similarity = similarity
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.micro_batch = micro_batch
        self.patience = patience
        self.held_out = held_out
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.seed = seed
        self.threads = threads

    @property
    def needs(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"texts", "label_names"})

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"beam", "proposals"})

    def _learn(self, training: CheckedTraining) -> None:
        require_torch(f"{type(self).__name__} and other systems on torch")
        names = training.label_names or ()
        if len(names) != training.Y.shape[1]:
            raise InputError(f"there are {len(names)} label names for {training.Y.shape[1]} labels: give one per label")
        from ramify.generate.fitting import trained
        from ramify.generate.stored import network_to_state

        environment = Environment(self.device, training.threads, self.precision)
        with environment.open(shared=True):
            found = trained(self, training, environment)
        serving = found.serving
        self.network_config_, self.network_arrays_ = network_to_state(serving.network, serving.tokenizer)
        self.__dict__.pop("_loaded", None)
        self.__dict__.pop("_names", None)
        self.label_tokens_, self.generated_ = serving.tokens, serving.labels
        self.label_names_ = StringTable.of(names)
        self.clusters_, self.histories_ = found.assignment, found.histories
        self.n_labels_ = len(names)

    def _reachable(self) -> int:
        """Maximum number of labels of a text: a label takes at least one token, and one for its end."""
        return max(1, min(self.n_labels_, self.beam * (self.max_target // 2)))

    def training_settings(self) -> dict[str, Any]:
        """The settings that have an effect on the training."""
        return {name: value for name, value in self._plain_settings().items() if name not in NO_EFFECT}

    def _rank(self, request: CheckedRequest) -> TopK:
        """Labels by their probabilities in the generated sequences (see ``answering``); other labels are not ranked."""
        from ramify.generate.answering import ranked_labels

        if self.decoding == "closed":
            return ranked_labels(self._sequences(request), request.k)
        top = self._matched_top(request, [one.labels for one in self._written(request)])
        return TopK(top.labels[:, : request.k], top.scores[:, : request.k])

    def _sequences(self, request: CheckedRequest, *, is_open: bool = False, clusters: CSR | None = None) -> Any:
        beam = self.beam if request.beam is None else request.beam
        with Environment(self.device, request.threads).open() as environment:
            return self._serving().sequences(request, environment, beam=beam, is_open=is_open, clusters=clusters)

    def _matched_top(self, request: CheckedRequest, rows: list[list[tuple[int, float]]]) -> TopK:
        """Labels with scores as a ranking under the restrictions of a request; k at least the number of labels."""
        from ramify.generate.answering import ranking

        width = max([request.k, *map(len, rows)])
        return restricted(ranking(rows, width), width, request.allowed, request.forbidden)

    def _written(self, request: CheckedRequest) -> list[Written]:
        serving, names = self._serving(), self._nearest_names()
        return [Written(*serving.matched(one, names)) for one in self._sequences(request, is_open=True)]

    def proposals(self, request: Request) -> list[Written]:
        """Labels and other strings that open decoding writes for each text of a request.

        Returns
        -------
        list of Written
        """
        check_is_fitted(self)
        return self._written(self._checked_request(request))

    def decide(self, request: Request) -> CSR:
        """0/1 matrix, shape (n, L): the labels of the best sequence of each text, matched to names if "open"."""
        if self.decoding == "closed":
            return self.generated_sets(request)
        check_is_fitted(self)
        checked = self._checked_request(replace(request, k=None))
        best = [one[:1] for one in self._sequences(checked, is_open=True)]
        top = self._matched_top(checked, [self._serving().matched(one, self._nearest_names())[0] for one in best])
        return labels_above(top, -np.inf, self.n_labels_)

    def generated_sets(self, request: Request, clusters: Any = None) -> CSR:
        """The labels of the best sequence of each text, optionally with given clusters.

        Parameters
        ----------
        request : Request
            Texts, beam and restrictions; its k is ignored.
        clusters : 0/1 matrix, shape (n, K), optional
            Clusters of each text in place of the predicted ones, such as the true ones: the upper bound of the
            guidance. None: those that the model predicts.

        Returns
        -------
        csr_matrix, shape (n, L)

        Raises
        ------
        InputError
            Clusters of another shape, or for the variant "base".
        """
        from ramify.generate.answering import best_sets

        check_is_fitted(self)
        checked = self._checked_request(request)
        wanted = (len(checked), self.clusters_.shape[1])
        given = None if clusters is None else as_csr(clusters)
        if given is not None and (given.shape != wanted or wanted[1] == 0):
            raise InputError(f"clusters has the shape {given.shape}, but must have {wanted}: one column per cluster")
        if given is not None:
            given = nonzero(given)
        return best_sets(self._sequences(checked, clusters=given), self.n_labels_)

    def true_clusters(self, Y: Any) -> CSR:
        """0/1 matrix, shape (n, K): the clusters of given labels, shape (n, L)."""
        from ramify.generate.clusters import clusters_of

        check_is_fitted(self)
        return clusters_of(as_csr(Y), self.clusters_)

    def _serving(self) -> ServingGenerator:
        """The trained generator, loaded on first use and kept."""
        kept: ServingGenerator | None = self.__dict__.get("_loaded")
        if kept is None:
            require_torch("predictions of XLGen")
            from ramify.generate.serving import VARIANTS as KINDS
            from ramify.generate.serving import ServingGenerator
            from ramify.generate.stored import network_from_state

            variant = KINDS[self.variant](float(self.cluster_weight))
            with damage_reported("the generator is"):
                network, tokenizer = network_from_state(self.network_config_, self.network_arrays_, variant)
                check_tokens(self.label_tokens_, network.vocabulary.size)
            kept = self.__dict__["_loaded"] = ServingGenerator(
                network=network,
                tokenizer=tokenizer,
                variant=variant,
                tokens=self.label_tokens_,
                labels=self.generated_,
            )
        return kept

    def _nearest_names(self) -> NearestName:
        kept = self.__dict__.get("_names")
        if kept is None or kept.similarity != self.similarity:
            kept = self.__dict__["_names"] = NearestName(self.label_names_, self.generated_, self.similarity)
        return kept

    def size(self) -> Sizes:
        """Number of labels and of weights."""
        check_is_fitted(self)
        weights = sum(array.size for name, array in self.network_arrays_.items() if name.startswith("weights/"))
        return Sizes(features=None, labels=self.n_labels_, weights=weights)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_loaded", "_names")}

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory; without ``cluster_tree``, which only training uses."""
        check_is_fitted(self)
        return to_state(self)

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> XLGen:
        """Restore the model from a model directory. The network is loaded when it is first used.

        Raises
        ------
        ModelFileError
            Invalid settings or arrays.
        """
        with damage_reported("the generator is"):
            return from_state(cls(**loaded_settings(config["settings"])), config, arrays)
