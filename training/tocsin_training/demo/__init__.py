"""`tocsin demo`: a broker, a simulated ward, the daemon and a board."""
