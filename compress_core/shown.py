"""Names that other people chose, made fit to be shown."""

HARMLESS = str.maketrans({"<": "‹", ">": "›", "`": "'"})


def shown_name(text: str, length: int = 80) -> str:
    """`text` in at most `length` characters that can be printed on one line.

    Control characters, line ends, invisible characters and marks of direction are written as their
    escapes, `<`, `>` and the backtick as signs that mean nothing to HTML and Markdown. Of a long
    name the middle goes: names of layers differ at their ends.

    >>> shown_name("fc1\\n<b>")
    'fc1\\\\n‹b›'
    >>> shown_name("a" * 100, length=7)
    'aaaa…aa'
    """
    few = text if len(text) <= 2 * length else f"{text[:length]}…{text[-length:]}"
    shown = "".join(map(_shown_sign, few)).translate(HARMLESS)
    if len(shown) <= length:
        return shown
    head = (length - 1) * 2 // 3
    return f"{shown[:head]}…{shown[len(shown) - (length - 1 - head) :]}"


def _shown_sign(sign: str) -> str:
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode()
