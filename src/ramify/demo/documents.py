"""The demo's data: which function does a described task, learned from the Python installation itself, offline.

The labels are the functions of the standard library, NumPy and SciPy. There are two kinds of documents:

- descriptions: the name and the docstring of a label, whole and its first sentence alone; one label;
- uses: the name and the docstring of any documented function; its labels are the functions that it calls.

The sources of the standard library and of ramify's own dependencies are parsed (`ramify.demo.api_calls`), never run;
functions without a source are described by the running interpreter (`ramify.demo.runtime`).
"""

from __future__ import annotations

import builtins
import hashlib
import os
import platform
import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ramify.data.files import read, write
from ramify.data.labels import LabelRows
from ramify.data.splits import split_label_aware
from ramify.demo.api_calls import Module, read_module, words
from ramify.demo.api_names import public_names
from ramify.demo.runtime import runtime_descriptions
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset, as_csr

FORMAT = 2  # raise it when equal sources give other documents
PACKAGES = ("click", "joblib", "markdown_it", "numpy", "pygments", "rich", "safetensors", "scipy", "sklearn", "typer")
DISTRIBUTIONS = {"markdown_it": "markdown-it-py", "sklearn": "scikit-learn"}
SKIPPED_FOLDERS = frozenset(  # tests, tables, vendored code, what not every installation has
    {"__pycache__", "distutils", "encodings", "ensurepip", "externals", "f2py", "idlelib", "lexers", "lib2to3",
     "pydoc_data", "styles", "test", "testing", "tests", "tkinter", "turtledemo"}
)  # fmt: skip
LABEL_PACKAGES = ("numpy", "scipy")
"""Packages whose functions are labels, besides the standard library."""

REMOVED_MODULES = frozenset({"asynchat", "asyncore", "cgi", "cgitb", "distutils", "imp", "lib2to3", "smtpd"})
"""Modules that newer versions of Python lack: no labels in older versions either."""

MOST_CALLERS = 50
"""Functions with more callers, such as ``str.join``, are no labels of uses: calls of them are in code of every task."""

FIRST_SENTENCE = re.compile(r".*?[a-z)](?=[.;] )")
TEST_SIZE = 0.2
"""Share of the uses that are held out, of those by functions that are no labels."""

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
        (train, test), one label space; every label of the test part occurs in the training part. The test part holds
        uses only.

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
    return _split(dataset)


def build_demo(files: list[tuple[str, Path]], progress: Progress | None = None) -> Dataset:
    """Descriptions and uses, from the given sources and from the running interpreter.

    Parameters
    ----------
    files : list of (str, Path)
        Dotted module names and their files.
    progress : callable, optional
        As in `demo_dataset`.

    Returns
    -------
    Dataset
        ``ids`` holds the name of the function that each text documents.

    Raises
    ------
    InputError
        Nothing documented in the sources.
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
    for document in documents:
        labels.add(list(document.labels))
    Y, names = labels.finish()
    texts, ids = [document.text for document in documents], [document.function for document in documents]
    return Dataset(Y=Y, label_names=names, texts=texts, ids=ids)


def source_files() -> list[tuple[str, Path]]:
    """Module names and files of the standard library and of the packages that ramify stands on."""
    files = list(_modules_in(Path(sysconfig.get_path("stdlib")), ""))
    for package in PACKAGES:
        folder = _package_folder(package)
        if folder is not None:
            files += _modules_in(folder, package)
    return files


class Document(NamedTuple):
    """A text, the function that it documents, and its labels."""

    function: str
    text: str
    labels: tuple[str, ...]


def _documents(modules: dict[str, Module]) -> list[Document]:
    """Descriptions, then uses; none where no module documents a function."""
    functions = [function for module in modules.values() for function in module.functions]
    if not functions:
        return []
    spellings = Counter(name for function in functions for name in (function.name, *function.calls))
    names = {spelling: name for spelling, name in public_names(modules, spellings).items() if _is_label(name)}
    described: dict[str, str] = {}
    for function in functions:
        if function.name in names:
            described.setdefault(names[function.name], function.description)
    for spelling, description in runtime_descriptions().items():
        described.setdefault(names.get(spelling, spelling), description)
    descriptions = [Document(label, text, (label,)) for label in described for text in _texts(label, described[label])]
    uses = {
        (function.text, labels): Document(names.get(function.name, function.name), function.text, labels)
        for function in functions
        if (labels := tuple(sorted({names[name] for name in function.calls if name in names})))
    }
    return descriptions + list(_informative(list(uses.values()), described))


def _texts(label: str, description: str) -> list[str]:
    """The label's name with its whole description, and with the first sentence only."""
    sentence = FIRST_SENTENCE.match(description)
    parts = dict.fromkeys((description, sentence[0] if sentence else description))
    return [f"{words(label)}: {part}" for part in parts]


def _informative(uses: list[Document], described: dict[str, str]) -> Iterator[Document]:
    """Uses with the labels that are described or called twice, and by at most `MOST_CALLERS` functions."""
    callers = Counter(label for use in uses for label in use.labels)
    for use in uses:
        labels = tuple(
            label
            for label in use.labels
            if label != use.function and (label in described or callers[label] > 1) and callers[label] <= MOST_CALLERS
        )
        if labels:
            yield use._replace(labels=labels)


def _is_label(name: str) -> bool:
    root = name.partition(".")[0]
    if root in LABEL_PACKAGES or ("." not in name and hasattr(builtins, name)):
        return True
    return root in sys.stdlib_module_names and root not in REMOVED_MODULES


def _split(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """Hold out uses by functions that are no labels: the text of a label's function describes that label."""
    known = set(dataset.label_names)
    is_open = np.array([function not in known for function in dataset.ids or ()], np.bool_)
    rest, test = split_label_aware(dataset.take(np.flatnonzero(is_open)), TEST_SIZE)
    closed = dataset.take(np.flatnonzero(~is_open))
    texts = [*(closed.texts or ()), *(rest.texts or ())]
    ids = [*(closed.ids or ()), *(rest.ids or ())]
    Y = as_csr(sp.vstack([closed.Y, rest.Y]))
    return Dataset(Y=Y, label_names=dataset.label_names, texts=texts, ids=ids), test


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
