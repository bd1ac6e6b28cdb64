"""The table of streams: one row per stream."""
