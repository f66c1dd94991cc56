"""What the page `trade_offs` consists of."""
