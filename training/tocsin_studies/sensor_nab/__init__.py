"""Study behind docs/sensor.md: the Numenta Anomaly Benchmark."""
