"""The compression methods, one a file: the step, and its functions on tensors."""
