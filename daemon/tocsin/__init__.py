"""Tocsin: an alarm bell for streams of sensor readings."""

from importlib.metadata import version

__version__ = version("tocsin")
