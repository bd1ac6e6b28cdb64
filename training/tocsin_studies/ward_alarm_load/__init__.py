"""Study behind docs/alarm-load.md: alarms a bed and day."""
