"""Weights and codes made small enough to draw: what the pages show, also during a drag."""
