"""Libraries and I/O that parts of the source may not import; the layers of folders stand in test_structure.py."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from import_graph import imported

ROOT = Path(__file__).parents[1]
DAEMON = ROOT / "daemon" / "tocsin"
TRAINING = ROOT / "training" / "tocsin_training"


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
        "cli/generate.py",
        "cli/record.py",
        "cli/replay.py",
        "cli/tables.py",
    ]


def test_the_engine_is_pure():
    pure = sys.stdlib_module_names - set(DOING_IO)
    assert offences(DAEMON / "engine", allowed=("numpy", "tocsin.engine", *pure)) == []


def test_the_alarms_are_pure():
    pure = sys.stdlib_module_names - set(DOING_IO)
    assert offences(DAEMON / "alarm", allowed=("msgspec", "tocsin.alarm", "tocsin.engine", *pure)) == []


def test_the_api_reads_no_clock_and_no_socket():
    pure = sys.stdlib_module_names - set(DOING_IO)
    below = ("tocsin.api", "tocsin.alarm", "tocsin.ingest", "tocsin.engine")
    assert offences(DAEMON / "api", allowed=("msgspec", *below, *pure)) == []


def test_the_engine_imports_no_alarms():
    assert offences(DAEMON / "engine", forbidden=("tocsin.alarm",)) == []


@pytest.mark.parametrize("name", ["engine", "alarm"])
def test_the_core_reads_no_clock_and_no_file(name):
    """Input and output that needs no forbidden import."""
    calls = {
        f"{file.name}:{node.lineno}: {ast.unparse(node.func)}"
        for file in (DAEMON / name).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2]
        in {"open", "print", "input", "now", "today", "utcnow", "load", "save", "fromfile", "tofile", "default_rng"}
    }
    assert calls == set()


def test_the_configuration_opens_no_connection():
    assert offences(DAEMON / "config", forbidden=("gmqtt", "uvicorn", "sqlite3", "httpx")) == []


def test_nothing_but_the_command_line_imports_the_command_line():
    importers = [
        str(file.relative_to(DAEMON))
        for file in DAEMON.rglob("*.py")
        if DAEMON / "cli" not in file.parents
        and any(belongs(module, ["tocsin.cli", "typer", "click"]) for module in imported(file))
    ]
    assert importers == []


def test_gmqtt_is_imported_in_one_package():
    assert {
        file.parent.name for file in DAEMON.rglob("*.py") if any(belongs(m, ["gmqtt"]) for m in imported(file))
    } == {"mqtt"}


def test_the_simulated_ward_and_the_demonstration_need_no_torch():
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


def test_the_reader_of_imports_sees_them_all():
    assert "tocsin.runtime.run" in imported(DAEMON / "cli" / "run.py")  # in a function
    assert "tocsin.engine.model.Model" in imported(DAEMON / "engine" / "watch.py")  # for type checkers alone
    assert "polars" in imported(DAEMON / "recording" / "writer.py")
