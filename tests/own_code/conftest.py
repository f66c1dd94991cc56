"""Somebody else's code is no test, and one of its modules cannot be imported."""

collect_ignore_glob = ["own_package/*"]
