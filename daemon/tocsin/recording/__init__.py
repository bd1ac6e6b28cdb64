"""Recorded tables, one row a reading, Parquet or CSV: as messages, and written. Needs polars, which is an extra."""

from tocsin.recording.fault import RecordingError
from tocsin.recording.reader import Recording, read
from tocsin.recording.times import nanoseconds
from tocsin.recording.writer import TableWriter, write

__all__ = ["Recording", "RecordingError", "TableWriter", "nanoseconds", "read", "write"]
