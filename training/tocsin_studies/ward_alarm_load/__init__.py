"""Study behind docs/alarm-load.md: how many alarms a ward hears."""
