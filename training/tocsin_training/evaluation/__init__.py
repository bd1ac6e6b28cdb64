"""Evaluation of a bundle against baselines, in the same run, on records that neither was fitted on."""
