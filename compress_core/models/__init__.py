"""The reference networks and their trained weights."""
