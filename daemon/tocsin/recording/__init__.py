"""Recordings: tables with one reading a row, Parquet or CSV, read as messages and written. Needs the extra polars."""

from tocsin.recording.reader import Recording, read
from tocsin.recording.times import RecordingError, nanoseconds
from tocsin.recording.writer import TableWriter, write

__all__ = ["Recording", "RecordingError", "TableWriter", "nanoseconds", "read", "write"]
