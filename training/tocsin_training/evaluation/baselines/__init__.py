"""Baselines: causal detectors that are fitted on the training part, in the same run as the bundle is evaluated."""
