"""Networks as ONNX files, written node by node from what our own modules do."""
