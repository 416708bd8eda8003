"""Fingerprints of the sources that a figure depends on: a change elsewhere leaves its rows valid.

The Python files are those that a module imports, directly or not. Imports for type checkers do not count, and neither
do comments, docstrings and layout. Native files count with the module of ``ramify.kernels`` that calls them.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from racing.places import REPOSITORY

SRC, CPP = REPOSITORY / "src", REPOSITORY / "cpp"
IRRELEVANT = (
    "ramify",
    "ramify.catalogue",
    "ramify.errors",
    "ramify.exchange",
    "ramify.features",
    "ramify.index.drawing",
    "ramify.index.files",
    "ramify.index.outline",
    "ramify.migrations",
    "ramify.models",
    "ramify.wording",
)
"""Modules that models import and that change no figure of a model: names, messages, other formats, pictures. Their
imports do not count either. They count where a fingerprint asks for them."""
NATIVE = {"text": "ramify.kernels.text", "neighbours": "ramify.kernels.neighbours"}
"""Part of the name of a native file -> the only module of ``ramify.kernels`` that it serves; others serve all."""
CPP_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@cache
def source_hash(*modules: str) -> str:
    """Fingerprint of these modules with what they depend on; without modules, of all sources."""
    names = modules_of(*modules) if modules else frozenset(_all_modules())
    kernels = any(name.startswith("ramify.kernels") for name in names)
    return _digest(names, native_files(names) if kernels else ())


@cache
def module_hash(*modules: str) -> str:
    """Fingerprint of these modules alone, without what they import."""
    return _digest(modules, ())


def _digest(names: Iterable[str], native: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(f"{name}\0{_plain_python(_file(name))}\0".encode())
    for file in sorted(native):
        digest.update(f"{file.name}\0{_plain_cpp(file)}\0".encode())
    return digest.hexdigest()[:12]


def modules_of(*modules: str) -> frozenset[str]:
    """The modules, and those of ramify that they import, directly or not, without the irrelevant ones."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and (name in modules or not _is_irrelevant(name)):
            found.add(name)
            waiting += _imported(name)
    return frozenset(found)


def native_files(modules: frozenset[str]) -> list[Path]:
    """The native files behind these modules."""
    files = [REPOSITORY / "CMakeLists.txt", *(file for file in CPP.iterdir() if file.is_file())]
    return [file for file in files if all(module in modules for part, module in NATIVE.items() if part in file.stem)]


def _is_irrelevant(name: str) -> bool:
    return name in IRRELEVANT or name.startswith("ramify.features.")


def _all_modules() -> Iterator[str]:
    for file in (SRC / "ramify").rglob("*.py"):
        parts = file.relative_to(SRC).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _file(name: str) -> Path:
    path = SRC.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _imported(name: str) -> frozenset[str]:
    """Modules of ramify that a module imports, at its head or within a function."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(_file(name).read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(one for one in found if one.split(".")[0] == "ramify" and _file(one).exists())


def _plain_python(file: Path) -> str:
    """The syntax tree without docstrings."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def _plain_cpp(file: Path) -> str:
    """The text without comments, with single blanks."""
    return " ".join(CPP_COMMENT.sub(" ", file.read_text("utf-8")).split())
