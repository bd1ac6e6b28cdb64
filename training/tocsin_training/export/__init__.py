"""Export: step modules, ONNX graphs, parity checks, bundle folders."""
