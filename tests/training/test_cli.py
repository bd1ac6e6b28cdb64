"""`tocsin train` without PyTorch."""

from __future__ import annotations

import sys

from typer import Typer
from typer.testing import CliRunner

from tocsin_training import cli


def test_without_pytorch_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    app = Typer()
    app.command()(cli.train)
    result = CliRunner().invoke(app, ["any.yaml"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: training needs PyTorch, which is not installed",
        "remedy: pip install 'tocsin[training]'",
    ]
