"""Bundles: folders with the graph of a recurrent network and its manifest."""

from tocsin.bundle.load import Bundle, BundleError, bundle_folder, load, shipped_folder, shipped_names
from tocsin.bundle.manifest import Manifest

__all__ = ["Bundle", "BundleError", "Manifest", "bundle_folder", "load", "shipped_folder", "shipped_names"]
