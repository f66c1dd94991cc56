"""What a step of each kind does to the network so far: the methods' functions, memoized.

One file a kind. `apply(step, names, network)` acts on the layers called `names`, all of them able;
`refusal(step, name, network)` says why a layer cannot take the step, None where it can.
`compress_core.steps` is the table of them.
"""
