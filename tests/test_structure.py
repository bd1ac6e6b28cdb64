"""The structure of the source: layers, cycles, sizes of folders, names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import import_graph
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("tocsin", "tocsin_training", "tocsin_studies")
EDGES = import_graph.graph(*PACKAGES)
FILES = import_graph.files(*PACKAGES)
MOST_MODULES = 22
FEWEST_LINES = 40

DAEMON_LAYERS = (
    ("tocsin",),  # the version
    ("tocsin.engine",),
    ("tocsin.alarm",),
    ("tocsin.delivery",),
    ("tocsin.ingest", "tocsin.bundle"),
    ("tocsin.api",),
    ("tocsin.config",),
    ("tocsin.mqtt", "tocsin.http", "tocsin.metrics", "tocsin.store", "tocsin.notify", "tocsin.recording"),
    ("tocsin.runtime",),
    ("tocsin.cli",),
)
"""From low to high. A folder imports only folders of layers below its own."""

TRAINING_LAYERS = (
    ("tocsin_training",),
    ("tocsin_training.errors", "tocsin_training.recipe"),
    ("tocsin_training.paths", "tocsin_training.data"),
    ("tocsin_training.nets", "tocsin_training.simulation", "tocsin_training.backtest"),
    ("tocsin_training.scores",),
    ("tocsin_training.train", "tocsin_training.export"),
    ("tocsin_training.calibration",),
    ("tocsin_training.bundles", "tocsin_training.tasks"),
    ("tocsin_training.recipe_file",),
    (
        "tocsin_training.evaluation",
        "tocsin_training.pipeline",
        "tocsin_training.recalibrate",
        "tocsin_training.warm_up",
    ),
    ("tocsin_training.session", "tocsin_training.demo"),
    ("tocsin_training.cli",),
)
"""Folders, and modules that lie beside them, from low to high. Each imports only what layers below its own hold."""


def folder(module):
    """`tocsin.engine` for `tocsin.engine.frames.stepper`."""
    parts = module.split(".")
    return (
        ".".join(parts[:2])
        if len(parts) > 2 or import_graph.files(parts[0])[module].name == "__init__.py"
        else parts[0]
    )


FOLDER = {module: folder(module) for module in FILES}


def test_no_module_is_part_of_an_import_cycle():
    assert import_graph.cycles(EDGES) == []


def test_folders_import_only_lower_folders():
    edges = {module: others for module, others in EDGES.items() if module.split(".")[0] == "tocsin"}
    assert import_graph.upward(edges, DAEMON_LAYERS, FOLDER.__getitem__) == []


def test_training_imports_only_lower_layers():
    def part(module):
        return ".".join(module.split(".")[:2])

    edges = {
        module: {other for other in others if other.startswith("tocsin_training")}
        for module, others in EDGES.items()
        if module.startswith("tocsin_training")
    }
    assert import_graph.upward(edges, TRAINING_LAYERS, part) == []


def test_no_study_imports_another():
    def study(module):
        return ".".join(module.split(".")[:2])

    edges = import_graph.condensed(EDGES, study)
    studies = {name for name in edges if name.startswith("tocsin_studies.")}
    assert {name: edges[name] & studies for name in studies if edges[name] & studies} == {}


def test_folders_have_no_cycles():
    def parent(module):
        """A folder as one node; a module beside folders as a node of its own."""
        return module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]

    def node(module):
        name = parent(module)
        has_subfolders = any(other.startswith(f"{name}.") and FILES[other].name == "__init__.py" for other in FILES)
        return module if has_subfolders else name

    assert import_graph.cycles(import_graph.condensed(EDGES, node)) == []


def test_the_daemon_imports_no_training_and_training_no_studies():
    packages = import_graph.condensed(EDGES, lambda module: module.split(".")[0])
    assert packages["tocsin"] == set()
    assert packages["tocsin_training"] <= {"tocsin"}


def test_folders_stay_small_enough_to_read():
    modules = defaultdict(int)
    for file in FILES.values():
        if file.name != "__init__.py":
            modules[str(file.parent.relative_to(ROOT))] += 1
    assert {name: count for name, count in modules.items() if count > MOST_MODULES} == {}


def classes(file):
    return [
        node.name
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def test_a_public_class_name_belongs_to_one_package():
    packages = defaultdict(set)
    for module, file in FILES.items():
        for name in classes(file):
            packages[name].add(FOLDER[module])
    assert {name: sorted(found) for name, found in packages.items() if len(found) > 1} == {}


def test_a_public_class_name_of_training_belongs_to_one_module():
    modules = defaultdict(list)
    for module, file in FILES.items():
        if not module.startswith("tocsin."):
            for name in classes(file):
                modules[name].append(module)
    assert {name: found for name, found in modules.items() if len(found) > 1} == {}


def test_module_docstrings_say_what_a_module_contains():
    docstrings = {
        module: ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) for module, file in FILES.items()
    }
    assert [module for module, text in docstrings.items() if not text] == []
    riddles = re.compile(r"(What|Who|Whose|How|Which|Why)\b")
    assert [module for module, text in docstrings.items() if riddles.match(text)] == []


SMALL = {
    "tocsin.api.reply",
    "tocsin.cli.errors",
    "tocsin.http.problem",
    "tocsin_training.data.summary",
    "tocsin_training.errors",
    "tocsin_training.evaluation.baselines.registry",
    "tocsin_training.paths",
    "tocsin_training.scores.registry",
    "tocsin_training.train.objective",
}
"""Modules with fewer lines than a file is worth: each is the one answer to a question, or opens an import cycle."""


def test_modules_are_worth_a_file():
    short = {
        module
        for module, file in FILES.items()
        if file.name not in {"__init__.py", "__main__.py", "cli.py"}
        and len(file.read_text(encoding="utf-8").splitlines()) < FEWEST_LINES
    }
    assert short == SMALL


RETIRED = (
    r"told|tells?|telling|teller|said|somebody|nobody|whoever"
    r"|rings|rang|rung|ringing|owes?|owed|owing|bury|buried|elders?|keeper|stations?|desks?|courier|parcel|strangers?"
    r"|learnt|spoilt|gone over|brought back|bring back|succession|agenda|stimulus|cast_shadow"
)
"""Words that the field does not use for what Tocsin does. `docs/glossary.md` has the terms."""

OLD_KEYS = ROOT / "daemon" / "tocsin" / "config" / "checks" / "old_keys.py"
GRAPH_NAMES = ROOT / "training" / "tocsin_training" / "export" / "onnx_graph.py"
EXCEPT = (OLD_KEYS, GRAPH_NAMES)  # keys that are answered with the new ones; names inside shipped graphs
WORDS = re.compile(rf"(?<![A-Za-z])(?:{RETIRED})(?![A-Za-z])", re.IGNORECASE)
CODE = ("daemon/**/*.py", "training/**/*.py", "scripts/**/*.py", "tests/**/*.py")
TEXT = ("config/**/*.yaml", "config/**/*.yml", "README.md", "CONTRIBUTING.md", "docs/**/*.md")
SHIPPED = ("models/**/*.md", "models/**/*.yaml", "training/recipes/*")
READ = CODE + TEXT + SHIPPED  # not the changelog, which has old names


@pytest.mark.parametrize("pattern", READ)
def test_retired_words_stay_retired(pattern):
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in sorted(ROOT.glob(pattern))
        if file not in {*EXCEPT, Path(__file__)}
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if WORDS.search(line)
    ]
    assert found == []
