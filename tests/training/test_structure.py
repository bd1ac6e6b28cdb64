"""Structure of the training packages: layers, import cycles, sizes and names."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "training"
LAYERS = (
    ("errors", "paths", "recipe"),
    ("data",),
    ("simulation",),
    ("nets",),
    ("scores",),
    ("train",),
    ("export",),
    ("backtest",),
    ("calibration",),
    ("tasks",),
    ("recipe_file", "evaluation"),
    ("bundles", "demo"),
    ("pipeline", "recalibrate", "warm_up", "session"),
    ("cli",),
)
"""Parts of tocsin_training, low to high: a part imports itself and lower ones."""
LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}
MOST_MODULES = 22
LEAST_LINES = 25
MODULES = sorted(ROOT.rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {_name(path): path for path in MODULES}


def _imports(name: str) -> set[str]:
    """Modules of the training packages that a module imports, under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(NAMES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in NAMES else node.module
                for alias in node.names
            }
    return {one for one in found if one in NAMES}


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("tocsin_training.")])
def test_imports_point_downwards(name):
    level = LEVELS[name.split(".")[1]]
    for other in _imports(name):
        assert not other.startswith("tocsin_studies"), (
            f"{name} imports {other}: studies import training, not the reverse"
        )
        if other != "tocsin_training":
            part = other.split(".")[1]
            assert LEVELS[part] <= level, f"{name} imports {other}, which is above it"


def test_no_import_cycle():
    graph = {name: _imports(name) - {name} for name in NAMES}
    while graph:
        leaves = {name for name, imported in graph.items() if not imported & graph.keys()}
        assert leaves, f"import cycle among {', '.join(sorted(graph))}"
        graph = {name: imported for name, imported in graph.items() if name not in leaves}


def test_folders_are_small_and_files_are_not_tiny():
    count = Counter(path.parent for path in MODULES if path.stem not in {"__init__", "__main__"})
    assert {str(folder): number for folder, number in count.items() if number > MOST_MODULES} == {}
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
        if path.stem not in {"__init__", "__main__"}
    }
    assert {path: number for path, number in lines.items() if number < LEAST_LINES} == {}


def test_public_class_names_are_unique():
    owners = Counter(
        node.name
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, number in owners.items() if number > 1] == []
