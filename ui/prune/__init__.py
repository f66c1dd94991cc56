"""What the page `prune` consists of."""
