"""One Python source file → its documented functions, each with the names that it calls; read with ``ast``, never run.

A call's name is written out through the module's imports: ``np.asarray(...)`` is ``numpy.asarray``; a method of the
same class is ``module.Class.method``, of a string literal ``str.join``. Left out is what tells nothing of the task:
private names, local variables, methods of unknown objects (``.append()``), everyday built-ins (``len``).
"""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

DOCSTRING_CHARACTERS = 600
BUILTINS = frozenset(("bytearray", "bytes", "chr", "compile", "divmod", "eval", "exec", "format", "hash", "input",
                      "memoryview", "open", "ord", "pow", "print", "reversed", "round", "sorted", "sum"))  # fmt: skip
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
SIGNATURE = re.compile(r"[\w.]+\([^\n]*\)(?:\s*->[^\n]*)?\n\s*")
# Where a docstring's opening paragraphs end: a section, an example, a directive, a list of parameters.
SECTION = re.compile(
    r"^(?:[^\n]+\n\s*[-=~]{3,}\s*$|\s*>>>|\s*\.\. |\s*:\w+.*:|\s*(?:Args|Returns|Raises|Example)s?:)", re.M
)
MARKUP = re.compile(r":\w+:(?=`)|[`*]+")

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Documented: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Function:
    """A documented function.

    Parameters
    ----------
    name : str
        Dotted name: module, class if any, function.
    description : str
        The opening of its docstring; not empty.
    calls : tuple of str
        Names that it calls, as the module spells them.
    module : str
        Dotted name of its module.
    """

    name: str
    description: str
    calls: tuple[str, ...]
    module: str

    @property
    def text(self) -> str:
        """The words of its name without the module, and the description."""
        return f"{words(self.name[len(self.module) :])}: {self.description}"


@dataclass
class Module:
    """What a source file defines, imports and documents."""

    name: str
    is_package: bool = False
    aliases: dict[str, str] = field(default_factory=dict)
    star_imports: list[str] = field(default_factory=list)
    definitions: set[str] = field(default_factory=set)
    methods: dict[str, set[str]] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)


def read_module(source: bytes, name: str, *, is_package: bool = False) -> Module:
    """Read one file.

    Parameters
    ----------
    source : bytes
        The file.
    name : str
        Its dotted module name.
    is_package : bool, default False
        Whether it is an ``__init__.py``, which relative imports start from.

    Returns
    -------
    Module
        Empty where the source does not parse.
    """
    module = Module(name, is_package)
    try:
        with warnings.catch_warnings():  # old sources: invalid escapes and the like
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return module
    documented: list[tuple[str, Documented]] = []
    for owner, statement in _statements(tree.body, ""):
        if isinstance(statement, ast.Import):
            for alias, target in _imported(statement):
                module.aliases.setdefault(alias, target)  # of alternatives the first is the usual one
        elif isinstance(statement, ast.ImportFrom):
            _import_from(statement, module)
        elif isinstance(statement, Documented):
            (module.methods.setdefault(owner, set()) if owner else module.definitions).add(statement.name)
            if ast.get_docstring(statement, clean=False):
                documented.append((owner, statement))
    calls: dict[ast.stmt, tuple[str, ...]] = {}
    for owner, node in documented:
        if isinstance(node, ast.ClassDef):
            calls[node] = _class_calls(node, calls, module)
        elif node not in calls:
            calls[node] = _calls(node, owner, module)
        if description := opening(ast.get_docstring(node, clean=False) or ""):
            qualified = ".".join(filter(None, [module.name, owner, node.name]))
            module.functions.append(Function(qualified, description, calls[node], module.name))
    return module


def _statements(body: list[ast.stmt], owner: str) -> Iterator[tuple[str, ast.stmt]]:
    """(class that holds it, statement): module and class level, and the imports anywhere."""
    for statement in body:
        yield owner, statement
        if isinstance(statement, ast.ClassDef):
            yield from _statements(statement.body, statement.name)
        elif isinstance(statement, FunctionNode):
            yield from ((owner, inner) for inner in _inner_imports(statement))
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _statements(_nested(statement), owner)


def _nested(statement: ast.stmt) -> list[ast.stmt]:
    bodies: list[ast.stmt] = [*getattr(statement, "body", ()), *getattr(statement, "orelse", ())]
    for handler in getattr(statement, "handlers", ()):
        bodies += handler.body
    return [*bodies, *getattr(statement, "finalbody", ())]


def _inner_imports(function: FunctionNode) -> Iterator[ast.stmt]:
    pending = list(function.body)
    while pending:
        statement = pending.pop()
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        else:
            pending += _nested(statement)


def _imported(statement: ast.Import) -> Iterator[tuple[str, str]]:
    """(local name, full name) of what ``import ...`` brings."""
    for name in statement.names:
        yield (name.asname, name.name) if name.asname else (name.name.partition(".")[0],) * 2


def _import_from(statement: ast.ImportFrom, module: Module) -> None:
    base = statement.module or ""
    if statement.level:
        above = module.name.split(".")[: -statement.level + module.is_package or None]
        base = ".".join(filter(None, [*above, base]))
    for name in statement.names:
        if name.name == "*":
            module.star_imports.append(base)
        else:
            module.aliases.setdefault(name.asname or name.name, f"{base}.{name.name}")


def _class_calls(node: ast.ClassDef, calls: dict[ast.stmt, tuple[str, ...]], module: Module) -> tuple[str, ...]:
    """What all methods of a class call; ``calls`` keeps each method's own."""
    names: set[str] = set()
    for member in node.body:
        if isinstance(member, FunctionNode):
            if member not in calls:
                calls[member] = _calls(member, node.name, module)
            names.update(calls[member])
    return tuple(sorted(names))


def _calls(function: FunctionNode, owner: str, module: Module) -> tuple[str, ...]:
    """Names called in a function's body."""
    local_names: set[str] = set()
    called: list[ast.expr] = []
    pending: list[ast.AST] = [*function.body, function.args]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                local_names.add(node.id)
            continue
        if isinstance(node, ast.Call):
            called.append(node.func)
        elif isinstance(node, ast.arg):
            local_names.add(node.arg)
        elif isinstance(node, FunctionNode):
            local_names.add(node.name)
        pending += _children(node)
    names = {_called_name(expression, owner, module, local_names) for expression in called}
    return tuple(sorted(names - {""}))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes below, except below decorators and ``raise``: what these call is no use of an API."""
    if isinstance(node, ast.Raise | ast.expr_context):
        return
    for name in node._fields:
        value = getattr(node, name)
        if isinstance(value, ast.AST):
            yield value
        elif value.__class__ is list and name != "decorator_list":
            yield from (one for one in value if isinstance(one, ast.AST))


def _called_name(expression: ast.expr, owner: str, module: Module, local_names: set[str]) -> str:
    """The full name of what is called; "" where it has none that others would know."""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    parts.reverse()
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str) and len(parts) == 1:
        return f"str.{parts[0]}"
    root = expression.id if isinstance(expression, ast.Name) else ""
    if root in ("self", "cls") and len(parts) == 1 and parts[0] in module.methods.get(owner, ()):
        return f"{module.name}.{owner}.{parts[0]}"
    if not root or root in local_names:
        return ""
    if root in module.definitions:
        return ".".join([module.name, root, *parts])
    if root in module.aliases:
        return ".".join([module.aliases[root], *parts])
    return root if root in BUILTINS and not parts else ""


def words(name: str) -> str:
    """The lower-case words of a dotted name: "urllib.parse.parseQuery" → "urllib parse parse query"."""
    return " ".join(word.lower() for word in WORD.findall(name))


def opening(docstring: str) -> str:
    """The paragraphs of a docstring before its first section or example, in one line.

    Parameters
    ----------
    docstring : str
        As it is in the source.

    Returns
    -------
    str
        At most 600 characters, without markup and without the signature that docstrings of C functions begin with.
    """
    plain = inspect.cleandoc(docstring)
    signature = SIGNATURE.match(plain)
    plain = plain[signature.end() :] if signature else plain
    section = SECTION.search(plain)
    description = " ".join(MARKUP.sub("", plain[: section.start()] if section else plain).split())
    if len(description) > DOCSTRING_CHARACTERS:
        description = description[:DOCSTRING_CHARACTERS].rpartition(" ")[0]
    return description
