"""Frames: assembly, validation, stepping, history."""
