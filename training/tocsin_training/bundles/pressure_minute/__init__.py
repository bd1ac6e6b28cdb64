"""Mean arterial pressure, one value a minute: records of the bundle `pressure-minute`."""
