"""The stored form of a compressed model: streams, container, ledger."""
