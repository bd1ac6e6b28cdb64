"""The directions in which the packages may import each other, read from their source."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DAEMON = ROOT / "daemon" / "tocsin"
TRAINING = ROOT / "training" / "tocsin_training"


def imported(file):
    """Every module that a file imports, also for type checkers or within functions."""
    side = next(folder for folder in (ROOT / "daemon", ROOT / "training") if file.is_relative_to(folder))
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


def belongs(module, packages):
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def offences(folder, *, forbidden=(), allowed=None):
    """`file: module` for each forbidden import; with `allowed`, for all other imports."""
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]
    assert files
    return [
        f"{file.relative_to(ROOT)}: {module}"
        for file in files
        for module in sorted(imported(file))
        if belongs(module, forbidden) or (allowed is not None and not belongs(module, allowed))
    ]


# Modules that read a clock, a file, a socket or the environment, or write a log.
DOING_IO = (
    "asyncio", "fileinput", "ftplib", "glob", "http", "io", "logging", "mmap", "multiprocessing", "os", "pathlib",
    "pickle", "random", "secrets", "select", "selectors", "shelve", "shutil", "signal", "smtplib", "socket",
    "socketserver", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "zipfile",
)  # fmt: skip
HEAVY = ("torch", "tocsin_training", "tocsin_studies", "onnx", "onnxscript", "sklearn", "scipy", "matplotlib")


def test_the_daemon_imports_no_training():
    assert offences(DAEMON, forbidden=HEAVY) == []


def test_the_daemon_needs_no_extra_but_for_recordings():
    recording = DAEMON / "recording"
    assert offences(DAEMON, forbidden=("polars", "aiomqtt")) == offences(recording, forbidden=("polars",))
    importers = [
        file
        for file in DAEMON.rglob("*.py")
        if file.parent != recording and any(name.startswith("tocsin.recording") for name in imported(file))
    ]
    assert sorted(str(file.relative_to(DAEMON)) for file in importers) == [
        "cli/alarm_tables.py",
        "cli/generate.py",
        "cli/record.py",
        "cli/replay.py",
    ]


def test_the_engine_is_pure():
    pure = sys.stdlib_module_names - set(DOING_IO)
    assert offences(DAEMON / "engine", allowed=("numpy", "tocsin.engine", *pure)) == []


def test_the_alarms_are_pure():
    pure = sys.stdlib_module_names - set(DOING_IO)
    assert offences(DAEMON / "alarm", allowed=("msgspec", "tocsin.alarm", "tocsin.engine", *pure)) == []


def test_requests_are_read_without_a_clock_or_a_socket():
    pure = sys.stdlib_module_names - set(DOING_IO)
    below = ("tocsin.api", "tocsin.alarm", "tocsin.ingest", "tocsin.engine")
    assert offences(DAEMON / "request", allowed=("msgspec", *below, *pure)) == []


def test_the_engine_imports_no_alarms():
    assert offences(DAEMON / "engine", forbidden=("tocsin.alarm",)) == []


@pytest.mark.parametrize("name", ["engine", "alarm"])
def test_the_core_reads_no_clock_and_no_file(name):
    """Input and output that needs no forbidden import."""
    calls = {
        f"{file.name}:{node.lineno}: {ast.unparse(node.func)}"
        for file in (DAEMON / name).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2]
        in {"open", "print", "input", "now", "today", "utcnow", "load", "save", "fromfile", "tofile", "default_rng"}
    }
    assert calls == set()


@pytest.mark.parametrize("name", ["codec", "engine", "alarm", "bundle"])
def test_lower_packages_import_no_adapter(name):
    shells = (
        "tocsin.mqtt",
        "tocsin.http",
        "tocsin.metrics",
        "tocsin.store",
        "tocsin.runtime",
        "tocsin.config",
        "tocsin.cli",
    )
    assert offences(DAEMON / name, forbidden=shells) == []


@pytest.mark.parametrize("name", ["mqtt", "http", "metrics", "store", "notify"])
def test_adapters_import_neither_each_other_nor_the_runtime(name):
    others = [
        f"tocsin.{other}"
        for other in ("mqtt", "http", "metrics", "store", "notify", "config", "app", "cli", "bundle")
        if other != name
    ]
    assert offences(DAEMON / name, forbidden=others) == []


def test_the_configuration_opens_no_connection():
    shells = ("tocsin.mqtt", "tocsin.http", "tocsin.metrics", "tocsin.store", "tocsin.runtime", "tocsin.cli")
    assert offences(DAEMON / "config", forbidden=(*shells, "gmqtt", "uvicorn", "sqlite3")) == []


def test_nothing_but_the_command_line_imports_the_command_line():
    importers = [
        str(file.relative_to(DAEMON))
        for file in DAEMON.rglob("*.py")
        if file.parent.name != "cli"
        and any(belongs(module, ["tocsin.cli", "typer", "click"]) for module in imported(file))
    ]
    assert importers == []


def test_gmqtt_is_imported_in_one_package():
    assert {
        file.parent.name for file in DAEMON.rglob("*.py") if any(belongs(m, ["gmqtt"]) for m in imported(file))
    } == {"mqtt"}


def test_the_ward_needs_no_torch():
    """The simulator and the demo run without PyTorch."""
    for folder in (TRAINING / "simulation" / "ward", TRAINING / "demo"):
        assert offences(folder, forbidden=("torch", "onnx", "onnxscript", "sklearn", "scipy")) == []


def test_the_commands_of_training_start_without_torch():
    """Only imports at module level count; functions may import PyTorch when they run."""
    for file in (*TRAINING.rglob("cli.py"), TRAINING / "__init__.py"):
        names = {
            name
            for node in ast.parse(file.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        }
        assert not [name for name in names if belongs(name, ("torch", "onnx", "onnxscript"))], file


def test_the_parser_finds_all_imports():
    folder = ROOT / "daemon" / "tocsin"
    assert "tocsin.runtime.run" in imported(folder / "cli" / "run.py")  # in a function
    assert "tocsin.engine.watch.Watch" in imported(folder / "engine" / "engine.py")  # for type checkers alone
    assert "polars" in imported(folder / "recording" / "written.py")
