"""What comes out of a sandbox in place of an answer."""


class SandboxError(ValueError):
    """The child crashed, was ended, or met a limit; one sentence with the limit and a remedy."""


class RefusedError(SandboxError):
    """The task itself said no (a ValueError in the child): its sentence."""
