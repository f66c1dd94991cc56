"""Search over recipes: sweeps now; sensitivity, allocation and fronts later."""
