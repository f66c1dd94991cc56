"""Facts in sentences, for the command line and for the app.

Measurements return facts: a kind and numbers. The command line and the app turn them into the same
sentences, which stand here. Only `command_line` and `ui` import this package.
"""
