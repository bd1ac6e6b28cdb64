"""Hourly intensive care records: reading them, the utility they are judged by, the report."""
