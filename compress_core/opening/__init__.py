"""Networks of other people: opened in a sandbox, and never run in the process that asks.

    file → sandbox (checks, importer, first run) → folder → Opened (weights alone) + Elsewhere

`tasks` is what the sandboxed child does; `folder` says what it leaves behind; `opened` is the
network as every other part of the library meets it; `elsewhere` asks a child whatever needs a run.
"""
