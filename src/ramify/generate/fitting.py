"""The training of a generator: network, clusters, pretraining on the label names, and the main training.

names     words of a label name, some left out    →  the name              ``denoise`` passes over all names
texts     text                                    →  label sequence    the variant's examples
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn

from ramify.exchange import CheckedTraining
from ramify.generate.answering import Decoding, best_sets
from ramify.generate.base import Base
from ramify.generate.clusters import (
    by_frequency,
    check_fits,
    clusters_of,
    given_clusters,
    kmeans_clusters,
    label_vectors,
)
from ramify.generate.examples import Examples
from ramify.generate.label_tokens import LabelTokens, first_of_equal, warn_of_equal
from ramify.generate.loading import NetworkConfig, load_network
from ramify.generate.mcg import cluster_tokens
from ramify.generate.network import GenerationNetwork
from ramify.generate.serving import VARIANTS, ServingGenerator
from ramify.generate.targets import Targets, target_order
from ramify.generate.task import GenerationTask, Rates
from ramify.torchloop import Checkpoint, Environment, History, LoopConfig, train
from ramify.torchloop.checkpoint import described, fingerprint
from ramify.transformers.embedding import embedded
from ramify.transformers.fine_tuning import held_out, identity_of
from ramify.transformers.tokens import Tokens, token_directory, tokenized, warn_of_truncation
from ramify.values import CSR, Float32, Int64, as_csr, empty_csr

if TYPE_CHECKING:
    from ramify.generate.xlgen import XLGen

LEFT_OUT = 0.3
"""Share of the words of a label name that are left out in the pretraining of the decoder."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of a training.

    Parameters
    ----------
    serving : ServingGenerator
    assignment : csr_matrix, shape (L, K)
        Clusters of the labels; K = 0 without clusters.
    histories : tuple of History
        Of the pretraining on names, if there is one, and of the training.
    """

    serving: ServingGenerator
    assignment: CSR
    histories: tuple[History, ...]


def trained(model: XLGen, training: CheckedTraining, environment: Environment) -> Trained:
    """Train a generator with the settings of a model; the environment is open, shared with the other processes."""
    return _Fit(model, training, environment).run()


class _Fit:
    """One training: data and parts, in the order in which they are made."""

    def __init__(self, model: XLGen, training: CheckedTraining, environment: Environment) -> None:
        self.model, self.training, self.environment = model, training, environment
        self.names: Sequence[str] = training.label_names or ()
        self.variant: Base = VARIANTS[model.variant](float(model.cluster_weight))
        given = given_clusters(model.cluster_tree, len(self.names), model.clusters) if self.variant.GUIDED else None
        self.n_clusters = 0 if not self.variant.GUIDED else model.clusters if given is None else given.shape[1]
        check_fits(self.n_clusters, len(self.names))
        self.network, self.tokenizer, self.label_tokens = load_network(self._network_config(), self.names)
        self.Y, self.stands_for = self._distinct(training.Y)
        self.tokens = self._tokens(training.texts or ())
        labelled = np.flatnonzero(np.diff(self.Y.indptr))  # an empty sequence is no target
        rest, held = held_out(len(labelled), model.held_out, training.seed)
        self.rest, self.held = labelled[rest], labelled[held]
        self.assignment = self._assignment(given)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            self.variant.prepare(self.network)
        self.serving = ServingGenerator(
            network=self.network,
            tokenizer=self.tokenizer,
            variant=self.variant,
            tokens=self.label_tokens,
            labels=np.unique(self.stands_for),
        )
        self.identity = {} if model.checkpoint is None else self._identity()

    def run(self) -> Trained:
        """Both trainings."""
        self.network.to(self.environment.device)
        histories = []
        if self.model.denoise:
            histories.append(self._train(0, self._names_task(), 1, "names"))
        examples = self._examples(self.tokens.take(self.rest), as_csr(self.Y[self.rest]))
        task = GenerationTask(self.network, self.variant, examples, self._rates(), self._held_out_quality())
        histories.append(self._train(1, task, self.model.epochs, "train"))
        self.network.cpu()
        return Trained(serving=self.serving, assignment=self.assignment, histories=tuple(histories))

    def _network_config(self) -> NetworkConfig:
        model = self.model
        return NetworkConfig(
            name=model.encoder,
            decoder_layers=model.decoder_layers,
            n_clusters=self.n_clusters,
            appended=self.variant.TASKS > 1,
            max_tokens=model.max_tokens,
            max_target=model.max_target,
            seed=self.training.seed,
            threads=self.training.threads,
        )

    def _distinct(self, Y: CSR) -> tuple[CSR, Int64]:
        """Y with one label for all labels of equal tokens, and for each label the one that stands for it."""
        counts = np.bincount(Y.indices, minlength=Y.shape[1])
        stands_for = first_of_equal(self.label_tokens, counts)
        warn_of_equal(stands_for, self.names)
        merged = sp.csr_matrix((np.ones(Y.nnz, np.float32), stands_for[Y.indices], Y.indptr), shape=Y.shape)
        merged.sum_duplicates()
        merged.data[:] = 1
        return as_csr(merged), stands_for

    def _tokens(self, texts: Sequence[str]) -> Tokens:
        self.training.report("tokens", 0.0)
        most = self.network.max_tokens
        directory = token_directory(len(texts), most)
        tokens = tokenized(self.tokenizer, texts, most, threads=self.training.threads, directory=directory)
        warn_of_truncation(tokens.n_truncated, len(tokens), most)
        self.training.report("tokens", 1.0)
        return tokens

    def _assignment(self, given: CSR | None) -> CSR:
        """Clusters of the labels, from the training part only, frequent ones first."""
        if not self.variant.GUIDED:
            return empty_csr(len(self.names), 0)
        found = self._kmeans() if given is None else given
        counts = np.bincount(self.Y[self.rest].indices, minlength=len(self.names))
        return by_frequency(as_csr(found[self.stands_for]), counts)

    def _kmeans(self) -> CSR:
        tokens, Y = self.tokens.take(self.rest), as_csr(self.Y[self.rest])
        pooled = MeanPooled(self.network)
        embeddings = embedded(
            pooled,
            tokens,
            self.environment,
            report_progress=lambda done: self.training.report("embed", done),
        )

        def of_names(labels: Int64) -> Float32:
            names = [self.names[label] for label in labels.tolist()]
            tokens = tokenized(self.tokenizer, names, self.network.max_tokens, threads=self.training.threads)
            return embedded(pooled, tokens, self.environment)

        vectors = label_vectors(embeddings, Y, of_names)
        return kmeans_clusters(vectors, np.unique(Y.indices).astype(np.int64), self.n_clusters, self.training.seed)

    def _examples(self, tokens: Tokens, Y: CSR) -> Examples:
        vocabulary, model = self.network.vocabulary, self.model
        counts = np.bincount(self.Y.indices, minlength=self.Y.shape[1])
        targets = Targets(self.label_tokens, vocabulary, model.max_target)
        order = target_order(model.order, self.names, self.training.seed)
        targets.warn_of_cut(Y, np.asarray(-counts[Y.indices], np.float64))
        return Examples(
            tokens=tokens,
            Y=Y,
            counts=counts,
            order=order,
            targets=targets,
            clusters=clusters_of(Y, self.assignment),
            cluster_targets=Targets(
                LabelTokens.single(vocabulary.first_cluster, self.n_clusters),
                vocabulary,
                cluster_tokens(self.n_clusters),
            ),
            device=self.environment.device,
        )

    def _names_task(self) -> GenerationTask:
        """Examples of label names: each pass leaves out other words."""
        rng = np.random.default_rng([self.training.seed, 1])
        texts = [" ".join(_some_words(name.split(), rng)) for _ in range(self.model.denoise) for name in self.names]
        tokens = tokenized(self.tokenizer, texts, self.network.max_tokens, threads=self.training.threads)
        one_each = sp.identity(len(self.names), np.float32, format="csr")
        Y = as_csr(sp.vstack([one_each] * self.model.denoise))
        return GenerationTask(self.network, Base(), self._examples(tokens, Y), self._rates())

    def _rates(self) -> Rates:
        return Rates(self.model.learning_rate, self.model.decoder_learning_rate)

    def _held_out_quality(self) -> Callable[[], float] | None:
        """Micro F1 of the greedy label sets of the held-out instances."""
        if len(self.held) == 0:
            return None
        tokens, truth = self.tokens.take(self.held), as_csr(self.Y[self.held])
        decoding = Decoding(
            network=self.network, variant=self.variant, trie=self.serving.trie, beam=1, most=self.model.max_target
        )

        def quality() -> float:
            found = best_sets(decoding.sequences(tokens, self.environment), truth.shape[1])
            return 2 * float(found.multiply(truth).sum()) / max(1, found.nnz + truth.nnz)

        return quality

    def _train(self, stage: int, task: GenerationTask, epochs: int, name: str) -> History:
        checkpoint = None
        if self.model.checkpoint is not None:
            checkpoint = Checkpoint(Path(self.model.checkpoint) / f"stage-{stage}", {"stage": stage, **self.identity})
        return train(
            task,
            self._loop_config(epochs),
            self.environment,
            progress=lambda done: self.training.report(name, done),
            checkpoint=checkpoint,
        )

    def _loop_config(self, epochs: int) -> LoopConfig:
        model = self.model
        return LoopConfig(
            epochs=epochs,
            batch_size=model.batch_size,
            micro_batch=model.micro_batch,
            learning_rate=model.learning_rate,
            weight_decay=model.weight_decay,
            warmup=model.warmup * epochs,
            patience=model.patience,
            seed=self.training.seed,
        )

    def _identity(self) -> dict[str, Any]:
        settings = {name: described(value) for name, value in self.model.training_settings().items()}
        digest = hashlib.sha256("\0".join(self.names).encode("utf-8", "surrogatepass")).hexdigest()
        return identity_of(self.training, self.network, settings) | {
            "names": digest,
            "clusters": fingerprint(self.assignment),
        }


def _some_words(words: list[str], rng: np.random.Generator) -> list[str]:
    """Most words of a name, at least one."""
    kept = rng.random(len(words)) >= LEFT_OUT
    kept[rng.integers(len(words))] = True
    return [word for word, is_kept in zip(words, kept, strict=True) if is_kept]


class MeanPooled(nn.Module):
    """The mean of the encoder's states of a text, in the form of a ``TextEncoder``."""

    def __init__(self, network: GenerationNetwork) -> None:
        super().__init__()
        self.network = network
        self.width = network.width

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Vectors of texts, float32, shape (n, width)."""
        weights = mask.unsqueeze(-1).float()
        return (self.network.encode(ids, mask).float() * weights).sum(1) / weights.sum(1)
