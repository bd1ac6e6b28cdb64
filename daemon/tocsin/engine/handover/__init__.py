"""Migration of streams to another configuration or model."""
