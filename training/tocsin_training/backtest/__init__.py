"""Records replayed through the daemon's engine or a bundle's step function."""
