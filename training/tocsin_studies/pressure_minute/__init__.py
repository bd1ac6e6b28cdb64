"""Mean arterial pressure, minute by minute: what comes in the next hour, and whether it is a hypotensive episode."""
