"""The daemon: a checked configuration wired together and run."""

from tocsin.runtime.daemon import run

__all__ = ["run"]
