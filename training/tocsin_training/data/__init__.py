"""Where sequences come from: tables and recordings, and normal streams with anomalies put into them."""
