"""`tocsin explain`."""
