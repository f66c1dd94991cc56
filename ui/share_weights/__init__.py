"""What the page `share_weights` consists of."""
