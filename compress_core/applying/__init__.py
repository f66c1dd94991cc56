"""What a step of each kind does to stored layers: the methods' tensor functions, memoized.

One file a kind; `compressed.FUNCTIONS` and `compressed.BASES` are the tables of them.
"""
