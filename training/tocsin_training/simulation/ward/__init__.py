"""Simulated ward: patients' vital signs at 1 Hz with labelled deteriorations and artefacts. NumPy alone."""
