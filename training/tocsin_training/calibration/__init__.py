"""Calibration: thresholds, probabilities, false-alarm curves, warm-up."""
