"""Simulators: a ward of patients, and sensors of many shapes. NumPy alone."""
