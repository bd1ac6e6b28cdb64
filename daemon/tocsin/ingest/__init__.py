"""From bytes on a topic to readings. Pure: no socket, no clock, and nothing a sensor sends makes it raise."""
