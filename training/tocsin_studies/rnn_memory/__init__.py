"""Experiments on the memory of recurrent networks: `tocsin experiment`, and docs/memory.md made from them."""
