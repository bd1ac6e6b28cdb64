"""Data sources and models of single bundles, one folder a bundle."""
