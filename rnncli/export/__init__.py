"""Trained models for other programs: ONNX, NumPy, CSV."""
