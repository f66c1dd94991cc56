"""What the page `factorize` consists of."""
