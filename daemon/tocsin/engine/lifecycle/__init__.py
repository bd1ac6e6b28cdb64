"""Lifecycle of streams: commands, settings, export and import, checkpoints."""
