"""What a visitor's session holds: the present state, the address, undo, snapshots, caches."""
