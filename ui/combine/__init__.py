"""What the page `combine` consists of."""
