"""Training loop, losses, checkpoints, teachers."""
