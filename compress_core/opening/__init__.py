"""Networks of other people: opened in a sandbox, and never run in the process that asks.

    file → sandbox (checks, importer, first run) → folder → Opened (weights alone) + Elsewhere

`tasks` is what the sandboxed child does; `facts` say what it leaves behind, `store` where; `opened`
is the network as every other part of the library meets it; `rooms` ask a child what needs a run.
"""
