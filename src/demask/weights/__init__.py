"""The shipped ONNX files, the registry of all others, and the one place that makes onnxruntime sessions."""
