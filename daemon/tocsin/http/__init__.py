"""HTTP server: metrics, health, readiness, reload and the API."""
