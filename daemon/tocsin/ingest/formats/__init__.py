"""Payload formats, one module each."""
