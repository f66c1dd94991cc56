"""Numbers in words that the app and the command line have in common."""


def percent(fraction: float, digits: int = 1) -> str:
    """0.5 as "50.0 %"."""
    return f"{100 * fraction:.{digits}f} %"
