"""Takes model directories apart and puts them together wrongly, with digests that say all is well."""

import hashlib
import json
import shutil
from pathlib import Path

from ramify.store import MANIFEST

TEXTS = ["water pollution control", "water rights of farms", "tax on income", "income tax credit", "farms and soil"] * 4
LABELS = [["Water", "Pollution"], ["Water", "Farms"], ["Tax"], ["Tax", "Income"], ["Farms"]] * 4


def copy_of(model: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(model, target)
    return target


def arrays_of(directory: Path) -> Path:
    """The array file of a model directory."""
    (path,) = directory.glob("arrays*.safetensors")
    return path


def file_of(directory: Path, which: str) -> Path:
    """The "manifest" or the "arrays" of a model directory."""
    return directory / MANIFEST if which == "manifest" else arrays_of(directory)


def read_arrays(directory: Path) -> tuple[dict, bytes]:
    """Header and body of the array file."""
    raw = arrays_of(directory).read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def write_arrays(
    directory: Path, header: object, body: bytes, *, text: str | None = None, aligned: bool = True
) -> None:
    text = json.dumps(header) if text is None else text
    encoded = text.encode()
    encoded += b" " * (-len(encoded) % 8 + (0 if aligned else 1))
    arrays_of(directory).write_bytes(len(encoded).to_bytes(8, "little") + encoded + body)
    redigest(directory)


def redigest(directory: Path, change=lambda body: None) -> None:
    """Let every digest, and the name of the array file, agree with what is there, after a change of the manifest."""
    body = json.loads((directory / MANIFEST).read_text("utf-8"))
    path = arrays_of(directory)
    raw = path.read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    path = path.rename(directory / f"arrays-{digest[:16]}.safetensors")
    body["files"] = {path.name: {"bytes": len(raw), "sha256": digest}}
    change(body)
    body.pop("sha256", None)
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    body["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(body), "utf-8")


def use(model) -> None:
    """Ask a loaded tagger for everything that it can do."""
    model.tag(TEXTS, k=3)
    model.tag(TEXTS[:1], k=1)
    model.tag(TEXTS[:3], k=2, allowed=[model.label_names_[0]])
    X, inner = model.features(TEXTS), model.model_
    inner.predict_topk(X, 4, allowed=X[:, :1] @ X[:1, : inner.n_labels_] != 0)
    inner.decision_function(X)
    inner.predict(X)
    for level in range(inner.tree_.depth):
        inner.search_.weights(level).matrix()
        if level + 1 < inner.tree_.depth:
            inner.subtree(level, inner.tree_.level_sizes[level] - 1).predict_topk(X, 2)
