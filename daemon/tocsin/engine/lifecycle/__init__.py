"""Streams that begin, pause, move and end."""
