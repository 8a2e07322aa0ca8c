"""ONNX files: writing, converting, running and comparing them."""
