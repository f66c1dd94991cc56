"""Search over recipes: sweeps, their Pareto front, and published results to compare with."""
