"""What the page `structured` consists of."""
