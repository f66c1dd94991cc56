"""What the page "Take home" consists of."""
