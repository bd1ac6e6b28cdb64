"""Baselines: causal detectors, fitted on the training part in the run that evaluates the bundle."""
