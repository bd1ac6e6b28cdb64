"""Stream table: one row per stream."""
