"""Delivery of events to sinks: queue, worker, retry policy. Pure."""
