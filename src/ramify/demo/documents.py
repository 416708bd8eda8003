"""The demo's data: API recommendation from the Python installation itself, offline on every machine.

A function's name and docstring are the text; its labels are the functions it calls and, since what is asked for may
be that very function, itself. Sources of the standard library
and of ramify's own dependencies are parsed (`ramify.demo.api_calls`), never imported or run, so that the data are
much the same everywhere: some ten thousand documents, thousands of labels, a true long tail.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ramify.data.files import read, write
from ramify.data.labels import LabelRows
from ramify.data.splits import split_label_aware
from ramify.demo.api_calls import Module, read_module
from ramify.demo.api_names import public_names
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset

FORMAT = 1  # raise it when equal sources give other documents
PACKAGES = ("click", "joblib", "markdown_it", "numpy", "pygments", "rich", "safetensors", "scipy", "sklearn", "typer")
DISTRIBUTIONS = {"markdown_it": "markdown-it-py", "sklearn": "scikit-learn"}
SKIPPED_FOLDERS = frozenset(  # tests, tables, vendored code, what not every installation has
    {"__pycache__", "distutils", "encodings", "ensurepip", "externals", "f2py", "idlelib", "lexers", "lib2to3",
     "pydoc_data", "styles", "test", "testing", "tests", "tkinter", "turtledemo"}
)  # fmt: skip
LEAST_DOCUMENTS_PER_LABEL = 2
TEST_SIZE = 0.1

Progress = Callable[[int, int], None]


def demo_dataset(*, cache: bool = True, progress: Progress | None = None) -> tuple[Dataset, Dataset]:
    """The demo's training and test part.

    Parameters
    ----------
    cache : bool, default True
        Keep the documents in the user's cache directory (``$XDG_CACHE_HOME/ramify`` or ``~/.cache/ramify``), per
        version of Python and of the packages read. A damaged file is made again, an unwritable directory ignored.
    progress : callable, optional
        Called with (files read, files in all) while sources are read.

    Returns
    -------
    tuple of Dataset
        (train, test), one label space; every label of the test part occurs in the training part.

    Raises
    ------
    InputError
        This Python has no sources to read.
    """
    path = _cache_path() if cache else None
    dataset = None if path is None else _cached(path)
    if dataset is None:
        dataset = build_demo(source_files(), progress)
        if path is not None:
            with suppress(InputError, OSError):  # the cache only saves time
                path.parent.mkdir(parents=True, exist_ok=True)
                write(dataset, path)
    return split_label_aware(dataset, TEST_SIZE)


def build_demo(files: list[tuple[str, Path]], progress: Progress | None = None) -> Dataset:
    """Documents and labels of the given sources.

    Parameters
    ----------
    files : list of (str, Path)
        Dotted module names and their files.
    progress : callable, optional
        As in `demo_dataset`.

    Raises
    ------
    InputError
        Nothing documented in them.
    """
    modules: dict[str, Module] = {}
    for done, (name, path) in enumerate(files, 1):
        with suppress(OSError):
            modules[name] = read_module(path.read_bytes(), name, is_package=path.name == "__init__.py")
        if progress is not None:
            progress(done, len(files))
    documents = _documents(modules)
    if not documents:
        raise InputError("this Python has no sources of documented functions: use an installation with .py files")
    labels = LabelRows()
    for row in documents.values():
        labels.add(row)
    Y, names = labels.finish()
    return Dataset(Y=Y, label_names=names, texts=[text for text, _ in documents])


def source_files() -> list[tuple[str, Path]]:
    """Module names and files of the standard library and of the packages that ramify stands on."""
    files = list(_modules_in(Path(sysconfig.get_path("stdlib")), ""))
    for package in PACKAGES:
        folder = _package_folder(package)
        if folder is not None:
            files += _modules_in(folder, package)
    return files


def _documents(modules: dict[str, Module]) -> dict[tuple[str, tuple[str, ...]], list[str]]:
    """(text, all its labels) → labels that others share; each document once."""
    functions = [function for module in modules.values() for function in module.functions]
    spellings = Counter(name for function in functions for name in (function.name, *function.calls))
    names = public_names(modules, spellings)
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for function in functions:
        labels = sorted({names[name] for name in (function.name, *function.calls) if name in names})
        rows[function.text, tuple(labels)] = labels
    counts = Counter(label for labels in rows.values() for label in labels)
    kept = {
        key: [label for label in labels if counts[label] >= LEAST_DOCUMENTS_PER_LABEL] for key, labels in rows.items()
    }
    return {key: labels for key, labels in kept.items() if labels}


def _modules_in(folder: Path, package: str) -> Iterator[tuple[str, Path]]:
    """Every source below a folder in a fixed order, without tests and tables."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS and name.isidentifier())
        below = Path(root).relative_to(folder).parts
        for name in sorted(names):
            stem, dot, suffix = name.rpartition(".")
            if suffix != "py" or not dot:
                continue
            parts = [*filter(None, [package]), *below, *([] if stem == "__init__" else [stem])]
            yield ".".join(parts), Path(root, name)


def _package_folder(package: str) -> Path | None:
    for entry in sys.path:
        folder = Path(entry or ".", package)
        if (folder / "__init__.py").is_file():
            return folder
    return None


def _cache_path() -> Path | None:
    from importlib import metadata  # not needed by those who only read files

    versions = [str(FORMAT), platform.python_version(), sys.platform]
    for package in PACKAGES:
        try:
            versions.append(metadata.version(DISTRIBUTIONS.get(package, package)))
        except metadata.PackageNotFoundError:
            versions.append("")
    key = hashlib.sha256("\n".join(versions).encode()).hexdigest()[:16]
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(home) if home else Path.home() / ".cache"
    except RuntimeError:  # no home directory
        return None
    return folder / "ramify" / f"demo-{key}.jsonl.gz"


def _cached(path: Path) -> Dataset | None:
    if not path.is_file():
        return None
    try:
        return read(path)
    except DataFileError:
        return None
