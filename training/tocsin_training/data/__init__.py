"""Training data: datasets of streams, batches, tables and recordings, injected anomalies."""
