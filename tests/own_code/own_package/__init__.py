"""What somebody else's project looks like: networks and loaders of their own."""
