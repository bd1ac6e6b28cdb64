"""Handover of streams to another configuration or model: migration, and shadows."""
