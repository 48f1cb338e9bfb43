"""Networks to files that others can use: ONNX, safetensors, a model card."""
