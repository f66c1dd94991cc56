"""The stored form of a compressed model: streams of one weight, container of all."""
