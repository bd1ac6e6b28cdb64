"""Simulated sensors: series of many units and periods, with and without faults."""
