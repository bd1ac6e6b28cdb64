"""What the daemon tells over HTTP: its metrics, and whether it is well."""
