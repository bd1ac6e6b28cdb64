"""MQTT adapter: one connection to a broker, which reconnects by itself and acknowledges messages on request."""
