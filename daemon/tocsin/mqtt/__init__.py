"""The broker: one connection that comes back by itself, acknowledges when told to, and loses no alarm."""
