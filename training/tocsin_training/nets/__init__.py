"""Networks in PyTorch: cells, channel features, heads, decoder, trees."""
