"""Machines with many channels: servers (SMD, ASD) and a water-circulation test bed (SKAB)."""
