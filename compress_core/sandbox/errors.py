"""What comes out of a sandbox in place of an answer."""

# in the place of an error that nobody thought of
UNEXPECTED = "something went wrong on the server; its log says what: try again"


class SandboxError(ValueError):
    """The child crashed, was ended, or met a limit; one sentence with the limit and a remedy."""


class RefusedError(SandboxError):
    """The task itself said no (a ValueError in the child): its sentence."""
