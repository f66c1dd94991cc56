"""Measurements of a model: frozen rows, apart from how they are shown."""
