"""Sinks that send events to receivers: MQTT, webhooks, Alertmanager; and Home Assistant's discovery.

Each module with a `SINK` is a kind of sink, and its name is the `kind` of the sink's entry in `tocsin.config.notify`.
"""
