"""What the page `recover` consists of."""
