"""Speed, as tables: `make bench`, or `python -m benchmarks NAME …`. Nothing here asserts a time."""
