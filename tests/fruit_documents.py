"""Documents of colours and fruits; a generator trained on them proposes the two labels that are left out."""

import json

COLOURS, FRUITS, PLACES = (
    ("red", "green", "blue", "black"),
    ("apple", "pear", "plum", "cherry"),
    ("river", "lake", "rain"),
)
LEFT_OUT = {"green pear", "black cherry"}

PAIRS = [f"{colour} {fruit}" for colour in COLOURS for fruit in FRUITS]
KNOWN = [(f"a {pair} {place}", [pair]) for pair in PAIRS if pair not in LEFT_OUT for place in PLACES]
"""Texts with their labels."""

SETTINGS = {
    "decoder_layers": 1,
    "epochs": 60,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "decoder_learning_rate": 3e-3,
    "held_out": 0,
    "beam": 3,
    "threads": 1,
}


def save_fruit_model(directory):
    """Train a small generator from random weights, and save it as a tagger; takes some seconds."""
    import ramify
    from tiny_encoder import save_tiny_encoder

    encoder = save_tiny_encoder(directory / "encoder", [" ".join(["a", *COLOURS, *FRUITS, *PLACES])])
    tagger = ramify.Tagger(ramify.XLGen(encoder=encoder, **SETTINGS))
    tagger.fit([text for text, _ in KNOWN], [labels for _, labels in KNOWN]).save(directory / "model")
    return directory / "model"


def write_fruit_documents(path, rows=None):
    """JSON lines with ids from 1; by default of one text per pair, known or left out, and an empty text."""
    rows = [*((f"a {pair} lake", [pair]) for pair in PAIRS), ("", [])] if rows is None else rows
    lines = [json.dumps({"id": n, "text": text, "labels": labels}) for n, (text, labels) in enumerate(rows, 1)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
