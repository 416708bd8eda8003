"""Generated texts with any number of labels, for costs: no figure of quality is taken from them.

Every label has two words of its own, every 16 labels share two words. A document has ``per_document`` labels, each
label the same number of documents, and a text of the words of its labels in random order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

GENERATOR = 1  # raise it with every change of what is generated
WORDS = 20_000
SHARING = 16
WIDTH = 384


def generated_texts(labels: int, documents: int, per_document: int, seed: int = 0) -> tuple[list[str], Any]:
    """Texts, and Y of shape (documents, labels).

    Parameters
    ----------
    labels, documents, per_document : int
        documents × per_document is a multiple of labels.
    seed : int
    """
    rng = np.random.default_rng((seed, labels))
    rounds = documents * per_document // labels
    dealt = np.concatenate([rng.permutation(labels) for _ in range(rounds)]).reshape(documents, per_document)
    own = rng.integers(WORDS, size=(labels, 2))
    shared = rng.integers(WORDS, size=(-(-labels // SHARING), 2))
    words = np.concatenate([own[dealt], shared[dealt // SHARING]], axis=2).reshape(documents, -1)
    texts = [" ".join(f"w{word}" for word in rng.permutation(row).tolist()) for row in words]
    rows = np.repeat(np.arange(documents), per_document)
    Y = sp.csr_matrix((np.ones(dealt.size, np.float32), (rows, dealt.ravel())), shape=(documents, labels))
    Y.data[:] = 1  # a label that was dealt twice to a document
    return texts, Y


def thin_encoder(folder: Path) -> str:
    """A checkpoint with one layer of the width of MiniLM and a token per generated word; returns its directory."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    words = special | {f"w{word}": word + len(special) for word in range(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 12, "intermediate_size": WIDTH}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    return str(folder)
