"""Bundles: a recurrent network as a folder with one graph and one manifest."""

from tocsin.bundle.load import Bundle, BundleError, load
from tocsin.bundle.manifest import Manifest
from tocsin.bundle.shipped import shipped_folder

__all__ = ["Bundle", "BundleError", "Manifest", "load", "shipped_folder"]
