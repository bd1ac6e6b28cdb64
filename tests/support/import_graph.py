"""The import graph of the packages, read from their source."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "daemon", ROOT / "training")


def module_of(file):
    """The dotted name of a source file."""
    side = next(folder for folder in SOURCES if file.is_relative_to(folder))
    parts = file.relative_to(side).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files(*packages):
    """The source files of packages, by module."""
    found = {}
    for package in packages:
        folder = next(side / package for side in SOURCES if (side / package).is_dir())
        found.update({module_of(file): file for file in sorted(folder.rglob("*.py"))})
    return found


def imported(file):
    """Every module that a file imports: at the top, in a function, or for type checkers alone."""
    side = next(folder for folder in SOURCES if file.is_relative_to(folder))
    package = file.relative_to(side).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            # `from tocsin import mqtt` imports a module, `from tocsin.mqtt import X` may: count both.
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def graph(*packages):
    """For each module of the packages, those that it imports."""
    at = files(*packages)
    edges = {}
    for module, file in at.items():
        names = imported(file) & at.keys()
        # `from tocsin.engine import events` names the package as well; only the module counts.
        packages_of_modules = {name.rpartition(".")[0] for name in names}
        direct = _named_from_packages(file, at)
        edges[module] = {name for name in names if name not in packages_of_modules or name in direct} - {module}
    return edges


def _named_from_packages(file, at):
    """Packages from whose `__init__` a name is taken that is no module."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module for alias in node.names if f"{node.module}.{alias.name}" not in at}
    return found


def cycles(edges):
    """Strongly connected components with more than one node, each sorted (Tarjan 1972)."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in sorted(edges[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
                on_stack.discard(component[-1])
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return sorted(found)


def condensed(edges, group):
    """The graph of groups of modules; `group` maps a module to its group."""
    groups = {}
    for module, others in edges.items():
        groups.setdefault(group(module), set()).update(group(other) for other in others)
    return {name: others - {name} for name, others in groups.items()}


def upward(edges, layers, group):
    """`module: imported` for each import from a layer that is not below; `layers` run from low to high."""
    level = {name: number for number, layer in enumerate(layers) for name in layer}
    return [
        f"{module}: {other}"
        for module, others in sorted(edges.items())
        for other in sorted(others)
        if group(module) != group(other) and level[group(other)] >= level[group(module)]
    ]
