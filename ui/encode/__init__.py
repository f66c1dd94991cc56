"""What the page `encode` consists of."""
