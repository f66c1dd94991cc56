"""Weights and codes made small enough to draw: what the app shows while one looks and drags."""
