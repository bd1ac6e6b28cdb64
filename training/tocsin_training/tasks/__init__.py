"""Tasks of training, one file each. A new task is a file here and a line in `registry.py`."""
