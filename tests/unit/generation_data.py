"""Fifty documents of made-up topics, whose label names are made of their words, and small networks for them."""

import numpy as np

SUBJECTS = ("water", "fire", "earth", "air", "stone")
PLACES = ("north", "south", "east", "west")
COMMON = "report, of a region"
FILLERS = ("a", "bill", "on", "the", "of", "report", "about")


def documents(n=50, seed=0):
    """Texts and label names: each text names a subject and a place; the rarest label is composed of both."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(n):
        subject, place = rng.choice(SUBJECTS), rng.choice(PLACES)
        words = [*rng.choice(FILLERS, 3), subject, *rng.choice(FILLERS, 2), place]
        texts.append(" ".join(words))
        labels.append([COMMON, str(subject), f"{subject} -- {place}"])
    return texts, labels


def all_words():
    return [" ".join([*SUBJECTS, *PLACES, *FILLERS, "-- ,", COMMON])]


FAST = {
    "epochs": 50,
    "batch_size": 5,
    "learning_rate": 2e-3,
    "decoder_learning_rate": 2e-3,
    "decoder_layers": 1,
    "clusters": 4,
    "held_out": 0.0,
    "precision": "float32",
    "warmup": 0.1,
    "threads": 1,
}
"""Settings with which a network without pretraining fits fifty documents."""


def save_tiny_t5(directory, tokenizer_directory, seed=0):
    """Write a T5 with random weights and the tokenizer of another directory; returns the directory as a string."""
    import torch
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_directory)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=48,
        d_kv=24,
        d_ff=96,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.0,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(config)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)
