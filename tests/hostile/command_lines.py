"""Random argument vectors for the ``ramify`` command from a small grammar, the same for the same seed."""

from __future__ import annotations

import json
import random
from pathlib import Path

FLAGS = [
    "--out",
    "-o",
    "--text",
    "--labels",
    "--separator",
    "--names",
    "--threads",
    "--json",
    "--quiet",
    "-q",
    "--model",
    "--preset",
    "--features",
    "--trees",
    "--copies",
    "--beam",
    "--max-leaf",
    "--min-df",
    "--seed",
    "--show-config",
    "--test",
    "--holdout",
    "--plain",
    "--batch",
    "-k",
    "--ks",
    "--propensity",
    "--seen-only",
    "--label",
    "--tree",
    "--ambiguous",
    "--data",
    "--levels",
    "--draw",
    "--help",
    "--version",
    "--unknown",
    "-x",
    "--",
    "-",
    "--k",
]
VALUES = (
    *[
        "0",
        "1",
        "3",
        "-1",
        "1.5",
        "nan",
        "inf",
        "text",
        "labels",
        "|",
        "a,b",
        "ü",
        "\udcff",
        "xr-linear",
        "blend",
        "nearest-instances",
        "label-chain",
        "fast",
        "best",
    ],
    *["tail", "tfidf", "hashing", "none", "true", "1,3,5", "0.55,1.5", "--", "-", "[", "{}", "Water", "../..", "."],
    *("9" * 400, "", " ", "x" * 5000, "a\nb"),
)
COMMANDS = ("train", "predict", "evaluate", "inspect", "convert", "", "unknown", "help")
"""All but ``demo``, which trains for half a minute."""


def put_files(folder: Path) -> None:
    """Data files and a model for the commands to find."""
    from stored_models import build_models
    from tampering import LABELS, TEXTS

    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in zip(TEXTS, LABELS, strict=True)]
    (folder / "d.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "d.csv").write_text("text,labels\nwater,Water|Farms\ntax,Tax\n", "utf-8")
    (folder / "d.txt").write_text("2 3 2\n0 0:1 2:0.5\n1 1:1\n", "utf-8")
    (folder / "plain.txt").write_text("water on farms\n", "utf-8")
    (folder / "broken.jsonl").write_text('{"text": 3}\n{"tex\n', "utf-8")
    (folder / "empty.csv").write_text("", "utf-8")
    build_models(folder / "models", ("tagger-xr-linear",))
    (folder / "model").symlink_to(folder / "models" / "tagger-xr-linear")


FILES = [
    "d.jsonl",
    "d.csv",
    "d.txt",
    "plain.txt",
    "broken.jsonl",
    "empty.csv",
    "model",
    "models",
    "missing",
    "out.jsonl",
    "out.csv",
    "fresh",
    "d.jsonl.gz",
    ".",
]


def command_line(seed: int) -> list[str]:
    """What follows the program's name; names are those of ``put_files``, without a folder."""
    rng = random.Random(seed)
    command = rng.choice(COMMANDS)
    arguments = [command] if command else []
    if rng.random() < 0.6:  # a sound beginning, so that later stages are reached
        sound = {
            "train": ["d.jsonl", "--out", "fresh", "--min-df", "1"],
            "predict": ["model", rng.choice(("d.jsonl", "plain.txt"))],
            "evaluate": ["model", "d.jsonl"],
            "inspect": ["model"],
            "convert": ["d.jsonl", "out.csv"],
        }
        arguments += sound.get(command, [])
    for _ in range(rng.randrange(5)):
        arguments.append(rng.choice(FLAGS))
        if rng.random() < 0.7:
            arguments.append(rng.choice(FILES if rng.random() < 0.3 else VALUES))
    if rng.random() < 0.3:
        arguments.insert(rng.randrange(len(arguments) + 1), rng.choice(FILES))
    if rng.random() < 0.1:
        rng.shuffle(arguments)
    return ["missing-model" if argument == "demo" else argument for argument in arguments]
