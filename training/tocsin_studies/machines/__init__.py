"""Study behind docs/machines.md: servers (SMD, ASD) and a water-circulation test bed (SKAB)."""
