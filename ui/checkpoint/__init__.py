"""The page of a checkpoint: weights without a network, one tensor at a time."""
