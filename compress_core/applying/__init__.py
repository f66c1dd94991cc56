"""What a step of each kind does to the network so far: the methods' functions, memoized.

One file a kind. `apply(step, names, network)` acts on the layers called `names`, which must all be
able to take it. `refusal(step, name, network)` says why a layer cannot take it, None where it can.
The table in `compress_core.steps` lists them.
"""
