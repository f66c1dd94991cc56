"""What the page `quantize` consists of."""
