"""Conditions, one module each, and their evaluation."""
