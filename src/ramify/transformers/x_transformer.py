"""X-Transformer: an encoder fine-tuned as a matcher over the clusters of a label tree, all clusters at once.

Wei-Cheng Chang, Hsiang-Fu Yu, Kai Zhong, Yiming Yang, Inderjit S. Dhillon: Taming Pretrained Transformers for Extreme
Multi-label Text Classification, KDD 2020 (docs/papers.md, X-Transformer).

clusters   = leaf clusters of indexer(PIFA(tf-idf, Y))
M          = Y · C                                                      labels of each instance in each cluster
minimise Σ_i Σ_{c=1..K} w_ic log(1 + exp(-m_ic (W h_i + b)_c))        over encoder and W, m_ic = ±1
ranker     = XRLinear on [tf-idf | h] with a new tree                   the only part that serves

It is the case of one level of ``multi_resolution``, without a shortlist and without bootstrapping: the cost of a step
grows with the number of clusters K.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ramify.checks import COUNT, INDEXER, OneOf, Rules
from ramify.models.trees.xr_linear import XRLinear
from ramify.protocols import Indexer
from ramify.transformers.config import ENCODER_NAME
from ramify.transformers.levels import HeadSettings, Levels, preliminary_tree
from ramify.transformers.model import LOSSES, TransformerModel

if TYPE_CHECKING:
    from ramify.torchloop import History
    from ramify.transformers.fine_tuning import FineTuning


BRANCHING = 16
"""Children per node above the clusters; these levels are not used."""


class XTransformer(TransformerModel):
    """An encoder fine-tuned as a matcher of label clusters, and a tree of linear classifiers on tf-idf and embeddings.

    Parameters
    ----------
    encoder : str, default "minilm"
        Pretrained encoder; "minilm", a repository of Hugging Face, or a directory.
    steps : int, default 300
        Training steps.
    batch_size : int, default 32
        Texts per step.
    learning_rate : float, default 5e-5
        Learning rate of the encoder; of AdamW, after the warm-up.
    head_learning_rate : float, default 1.0
        Learning rate of SGD for the head, for the sum of the loss over the texts of a step.
    max_tokens : int, default 128
        Largest number of tokens per text; longer texts are truncated.
    max_leaf : int, default 64
        Largest number of labels per cluster; the clusters are the classes of the fine-tuning.
    loss : {"bce", "squared-hinge", "hinge"}
        Loss of an output of the head.
    dropout : float, default 0.3
        Share of the entries of an embedding that are dropped before a head, in training.
    preliminary_indexer : Indexer, optional
        Builds the preliminary tree, whose labels may have several leaves; k-means with ``max_leaf`` when None.
    copies : int, default 1
        Largest number of clusters per label; in the preliminary and in the final tree (label disentanglement).
    ranker : XRLinear, optional
        The final model on tf-idf and embeddings, unfitted; a ``dense_weight`` of None is 1. None:
        ``XRLinear(beam=20, dense_weight=1)``.
    warmup : float, default 0.1
        Share of the steps in which the learning rate rises; it falls linearly afterwards.
    weight_decay : float, default 0.01
        Weight decay of AdamW, without biases and normalisation layers.
    micro_batch : int, optional
        Largest number of texts per forward pass; gradients are accumulated. None: no limit.
    evaluate_every : int, default 100
        Steps between evaluations on held-out texts. The encoder of the best evaluation is kept.
    held_out : float, default 0.05
        Share of the texts that are held out from the fine-tuning, at most 256 texts.
    lora_rank : int, default 0
        Rank of low-rank adapters that are trained in place of the weights; 0: all weights are trained.
    checkpoint : str, optional
        Directory for the state of an unfinished fit; a fit with the same settings and data resumes from it.
    device : {"cpu", "cuda", "auto"}
        Device of torch; "auto": a GPU if there is one, else the CPU.
    precision : {"native", "auto", "float32", "bfloat16"}
        Number format of the forward passes of the fine-tuning; "native": bfloat16 on a GPU or CPU with instructions for
        it, else float32; "auto": bfloat16 on a GPU only. The embeddings of the ranker are float32 on a CPU.
    backend : {"torch", "onnx", "onnx-int8"}
        What computes the embeddings of the ranker and of predictions; with "onnx" and "onnx-int8" the fine-tuned
        encoder is exported and run by onnxruntime on the CPU, without torch in predictions (extra ``onnx``).
    seed : int, default 0
        The same seed gives the same model for any number of threads on a CPU.
    threads : int, optional
        None: all CPUs.

    Attributes
    ----------
    ranker_ : XRLinear or Disentangled
        The model on [tf-idf | embedding].
    histories_ : tuple of History
        Loss and held-out precision of the clusters (mean of P@1, P@3 and P@5) of the only stage.
    encoder_config_, encoder_arrays_ : dict
        The fine-tuned encoder.
    n_features_in_, n_labels_ : int
        Number of columns of X and of labels.
    """

    RULES: ClassVar[Rules] = {
        "encoder": ENCODER_NAME,
        **TransformerModel.SHARED,
        "max_leaf": COUNT,
        "loss": OneOf(LOSSES),
        "preliminary_indexer": INDEXER,
    }
    FLAGS = (
        "encoder", "steps", "batch_size", "learning_rate", "max_tokens", "max_leaf", "copies", "checkpoint", "device",
    )  # fmt: skip

    def __init__(
        self,
        *,
        encoder: str = "minilm",
        steps: int = 300,
        batch_size: int = 32,
        learning_rate: float = 5e-5,
        head_learning_rate: float = 1.0,
        max_tokens: int = 128,
        max_leaf: int = 64,
        loss: str = "bce",
        dropout: float = 0.3,
        preliminary_indexer: Indexer | None = None,
        copies: int = 1,
        ranker: XRLinear | None = None,
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        micro_batch: int | None = None,
        evaluate_every: int = 100,
        held_out: float = 0.05,
        lora_rank: int = 0,
        checkpoint: str | None = None,
        device: str = "cpu",
        precision: str = "native",
        backend: str = "torch",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.encoder = encoder
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.head_learning_rate = head_learning_rate
        self.max_tokens = max_tokens
        self.max_leaf = max_leaf
        self.loss = loss
        self.dropout = dropout
        self.preliminary_indexer = preliminary_indexer
        self.copies = copies
        self.ranker = ranker
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.micro_batch = micro_batch
        self.evaluate_every = evaluate_every
        self.held_out = held_out
        self.lora_rank = lora_rank
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.backend = backend
        self.seed = seed
        self.threads = threads

    def _fine_tune(self, run: FineTuning) -> tuple[History, ...]:
        from ramify.transformers.multi_resolution import fine_tune_levels

        tree = preliminary_tree(run.training, self.preliminary_indexer, BRANCHING, self.max_leaf, self.copies)
        clusters = Levels.clusters(tree, run.training.Y)
        settings = HeadSettings(
            loss=self.loss,
            learning_rate=self.head_learning_rate,
            dropout=self.dropout,
            matched=1,
            bootstrap=False,
        )
        return fine_tune_levels(run, clusters, settings)
