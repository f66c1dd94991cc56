"""The compression methods, one a file: step, tensor functions, layer function."""
