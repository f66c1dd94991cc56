"""A module whose own import is wrong."""

import a_package_that_nobody_has  # noqa: F401
