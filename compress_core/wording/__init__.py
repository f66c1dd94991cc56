"""Facts in sentences, for the command line and for the app.

What measures returns facts: a kind and numbers. Both the command line, which is part of the core,
and the app say the same sentence of them, and imports run downward only: so the sentences stand
here, above all that measures. Only `__main__`, `console` and `ui` import this room.
"""
