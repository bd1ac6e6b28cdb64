"""What a sceptic asks of a detector: figures against baselines, in the same run, on records not fitted."""
