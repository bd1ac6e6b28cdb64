"""Study behind docs/pressure-minute.md: mean arterial pressure of the next hour, and hypotensive episodes."""
