"""What the page `overview` consists of."""
