"""Functions that have no Python source, described by their docstrings in the running interpreter.

``math.gcd``, ``itertools.combinations`` and ``str.split`` are written in C, ``random.choice`` is a bound method. The
modules below are imported for their docstrings; none of their functions is called.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from ramify.demo.api_calls import opening

MODULES = (
    "builtins", "array", "atexit", "base64", "binascii", "bisect", "bz2", "cmath", "collections",
    "concurrent.futures", "copy", "csv", "datetime", "decimal", "functools", "getpass", "glob", "gzip", "hashlib",
    "heapq", "hmac", "html", "itertools", "json", "lzma", "math", "multiprocessing", "operator", "os", "os.path",
    "pathlib", "pickle", "queue", "random", "re", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl",
    "statistics", "string", "struct", "subprocess", "sys", "tempfile", "textwrap", "threading", "time", "unicodedata",
    "urllib.parse", "uuid", "zipfile", "zlib", "numpy", "numpy.fft", "numpy.linalg", "numpy.random",
)  # fmt: skip
HOOK = "hook"
"""Functions of ``sys`` whose names end so are skipped: debuggers and test runners replace them."""

SKIPPED_CLASSES = frozenset({"numpy.generic"})  # its methods repeat those of arrays


def runtime_descriptions() -> dict[str, str]:
    """Public functions, classes and methods of `MODULES` → the opening of their docstrings.

    Returns
    -------
    dict of str to str
        In the order of the names, because some packages list theirs in random order. Modules that this Python lacks
        are left out, as are exceptions.
    """
    found: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated attributes
        for name in MODULES:
            with suppress(ImportError):
                for qualified, value in _callables(import_module(name)):
                    description = opening(inspect.getdoc(value) or "")
                    if description:
                        found.setdefault(qualified, description)
    return dict(sorted(found.items()))


def _callables(module: ModuleType) -> Iterator[tuple[str, object]]:
    """(dotted name, object) of the public callables of a module, and of the methods of its classes."""
    prefix = "" if module.__name__ == "builtins" else f"{_public_module(module)}."
    for name in getattr(module, "__all__", None) or dir(module):
        value = getattr(module, name, None)
        is_class = isinstance(value, type)
        is_hidden = name.startswith("_") or (module.__name__ == "sys" and name.endswith(HOOK))
        if is_hidden or not callable(value) or (is_class and issubclass(value, BaseException)):
            continue
        yield f"{prefix}{name}", value
        if is_class and f"{prefix}{name}" not in SKIPPED_CLASSES:
            methods = ((method, member) for method, member in vars(value).items() if callable(member))
            yield from ((f"{prefix}{name}.{method}", member) for method, member in methods if method[0] != "_")


def _public_module(module: ModuleType) -> str:
    return "os.path" if module.__name__ in ("posixpath", "ntpath") else module.__name__
