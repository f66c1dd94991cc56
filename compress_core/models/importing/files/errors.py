"""Files that are refused before a parser sees them."""


class UnsafeFileError(ValueError):
    """A file breaks a rule; the message has the value, the rule and the remedy."""


def refuse(value: str, remedy: str) -> UnsafeFileError:
    """`value` says what is wrong and by which rule, `remedy` what to do."""
    return UnsafeFileError(f"{value}; {remedy}")
