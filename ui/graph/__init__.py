"""What the page `graph` consists of."""
