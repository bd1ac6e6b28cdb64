"""The training side of Tocsin: recipes in, bundles out. PyTorch lives here and nowhere else."""
