"""One name per function: the many spellings of a called function become the public one.

``numpy._core.numeric.asarray`` and ``numpy.asarray`` are one function. Every spelling is followed through the
imports of the modules that were read to where the function is defined; among the public spellings of one definition
the one that a package offers at its top wins, else the most frequent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from ramify.demo.api_calls import Module

LONGEST_CHAIN = 16


def public_names(modules: Mapping[str, Module], spellings: Counter[str]) -> dict[str, str]:
    """Map every spelling to its function's public name; spellings of private functions are left out.

    Parameters
    ----------
    modules : mapping of str to Module
        By dotted name.
    spellings : Counter
        Called names, and in how many functions each occurs.

    Returns
    -------
    dict of str to str
        Spelling → public name.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for spelling in spellings:
        groups[definition(spelling, modules)].append(spelling)
    exports = _exports(modules, {*groups, *(origin.rpartition(".")[0] for origin in groups)})
    chosen: dict[str, str] = {}
    for origin, members in groups.items():
        owner, _, method = origin.rpartition(".")
        public = [name for name in members if _is_public(name)]
        if exports[origin]:
            best = _shortest(exports[origin])
        elif exports[owner] and _is_public(method):
            best = f"{_shortest(exports[owner])}.{method}"
        elif public:
            best = min(public, key=lambda name: (-spellings[name], name.count("."), name))
        else:
            continue
        chosen.update(dict.fromkeys(members, best))
    return chosen


def definition(name: str, modules: Mapping[str, Module]) -> str:
    """Where a dotted name is defined, as far as the modules tell."""
    for _ in range(LONGEST_CHAIN):
        followed = _one_step(name, modules)
        if followed == name:
            return name
        name = followed
    return name


def _one_step(name: str, modules: Mapping[str, Module]) -> str:
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = modules.get(".".join(parts[:cut]))
        if module is None:
            continue
        head, rest = parts[cut], parts[cut + 1 :]
        if head in module.definitions:
            return name
        if head in module.aliases:
            return ".".join([module.aliases[head], *rest])
        for base in module.star_imports:
            starred = modules.get(base)
            if starred and (head in starred.definitions or head in starred.aliases):
                return ".".join([base, head, *rest])
        return name
    return name


def _exports(modules: Mapping[str, Module], wanted: Iterable[str]) -> dict[str, list[str]]:
    """Definition → the names under which packages offer what is defined below them."""
    exports: dict[str, list[str]] = {origin: [] for origin in wanted}
    for module in modules.values():
        if not module.is_package or not _is_public(module.name):
            continue
        starred = (modules[base] for base in module.star_imports if base in modules)
        offered = {*module.aliases, *(name for one in starred for name in (*one.definitions, *one.aliases))}
        for name in sorted(f"{module.name}.{alias}" for alias in offered if _is_public(alias)):
            origin = definition(name, modules)
            if origin in exports and origin.startswith(f"{module.name}."):
                exports[origin].append(name)
    return exports


def _shortest(names: list[str]) -> str:
    return min(names, key=lambda name: (name.count("."), name))


def _is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))
