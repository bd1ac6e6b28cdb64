"""Bundles: folders with the graph of a recurrent network and its manifest."""

from tocsin.bundle.load import Bundle, BundleError, load
from tocsin.bundle.manifest import Manifest
from tocsin.bundle.shipped import shipped_folder

__all__ = ["Bundle", "BundleError", "Manifest", "load", "shipped_folder"]
