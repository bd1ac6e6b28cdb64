"""What recurrent networks can and cannot do, shown: `tocsin experiment`, and docs/memory.md made from it."""
