"""Names that nobody has yet."""


def unique_name(name: str, taken: set[str]) -> str:
    """`name`, or with the first number that makes it new; it is then taken."""
    candidates = (name if i == 0 else f"{name}_{i}" for i in range(len(taken) + 1))
    found = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(found)
    return found
