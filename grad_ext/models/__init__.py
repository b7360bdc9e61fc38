"""Fitted models for users: estimators, attachment to torch modules, saving, ONNX."""
