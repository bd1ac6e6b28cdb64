"""The daemon: a checked configuration wired together and run."""

from tocsin.app.daemon import run

__all__ = ["run"]
