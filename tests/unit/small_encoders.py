"""Small encoders that are made on the spot and saved as checkpoints of Hugging Face."""

import json
from pathlib import Path

WIDTH = 32
POSITIONS = 40
WORDS = [
    "river lake rain flood",
    "flame smoke heat burn",
    "soil stone clay sand",
    "the old house by the river",
    "Œuvre",
]


def save_tokenizer(folder: Path) -> int:
    """A WordPiece tokenizer with a fast backend; returns the size of its vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        [*WORDS, *"abcdefghijklmnopqrstuvwxyz"], trainers.WordPieceTrainer(vocab_size=300, special_tokens=special)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    return tokenizer.get_vocab_size()


def save_encoder(folder: Path, kind: str = "bert", seed: int = 0) -> Path:
    """A checkpoint with random weights.

    Parameters
    ----------
    folder : Path
    kind : str
        Model type of the package transformers, as "bert" or "gpt2".
    seed : int
        Seed of the weights.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    folder.mkdir(parents=True, exist_ok=True)
    n_tokens = save_tokenizer(folder)
    sizes = {
        "bert": {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48},
        "distilbert": {"dim": WIDTH, "n_layers": 2, "n_heads": 2, "hidden_dim": 48},
        "gpt2": {"n_embd": WIDTH, "n_layer": 1, "n_head": 2},
        "t5": {"d_model": WIDTH, "num_layers": 1, "num_heads": 2, "d_ff": 32, "d_kv": 16},
    }
    of_bert = sizes["bert"] | ({"pad_token_id": 0} if kind == "roberta" else {})
    modern = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    of_bert |= modern if kind == "modernbert" else {}
    positions = {} if kind == "t5" else {"max_position_embeddings": POSITIONS}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = AutoConfig.for_model(kind, vocab_size=n_tokens, **sizes.get(kind, of_bert), **positions)
        AutoModel.from_config(config).save_pretrained(folder)
    return folder


def set_pooling(folder: Path, **modes: bool) -> None:
    """Add a configuration of sentence-transformers."""
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": WIDTH} | modes))
