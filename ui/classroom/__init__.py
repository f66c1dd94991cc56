"""A server for a class: `make class` starts it, `limits` keeps it usable, its page is *Instructor*.

What `serve` decides stands in the environment, so that the server's processes find it.
"""

import os

TOKEN_VARIABLE, ADDRESS_VARIABLE = "COMPRESS_CLASS_TOKEN", "COMPRESS_CLASS_ADDRESS"


def token() -> str:
    """What opens the instructor's page; nothing where this is no server for a class."""
    return os.environ.get(TOKEN_VARIABLE, "")


def address() -> str:
    """Where the class finds the server."""
    return os.environ.get(ADDRESS_VARIABLE, "")
