"""Training documents of the peers that are served, from JSON lines; needs scipy alone."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp


def training_documents(path: Path) -> tuple[list[str], Any, list[str]]:
    """Texts, label matrix, and names of the labels, in the order of their names."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    names = sorted({label for document in documents for label in document["labels"]})
    number = {name: place for place, name in enumerate(names)}
    rows = [row for row, document in enumerate(documents) for _ in set(document["labels"])]
    columns = [number[label] for document in documents for label in sorted(set(document["labels"]))]
    ones = np.ones(len(rows), np.float32)
    Y = sp.csr_matrix((ones, (rows, columns)), shape=(len(documents), len(names)))
    return [document["text"] for document in documents], Y, names


def save_names(folder: Path, names: list[str]) -> None:
    """Write the names of the labels."""
    (folder / "labels.json").write_text(json.dumps(names, ensure_ascii=False), "utf-8")


def load_names(folder: Path) -> list[str]:
    """The names of the labels."""
    names: list[str] = json.loads((folder / "labels.json").read_text("utf-8"))
    return names
