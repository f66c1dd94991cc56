"""HTML in which nobody's text can be more than text: what is no `Html` is escaped."""

from collections.abc import Sequence
from html import escape


class Html(str):
    """A text that is HTML already. Only the functions here make it."""


def element(tag: str, *children: object, **attributes: str) -> Html:
    """`<tag attributes>children</tag>`; an attribute's `_` at the end is left out, as in class_."""
    given = "".join(
        f' {name.strip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
    )
    return Html(f"<{tag}{given}>{join(*children)}</{tag}>")


def join(*children: object) -> Html:
    """One after the other, with what is no HTML escaped."""
    return Html(
        "".join(child if isinstance(child, Html) else escape(str(child)) for child in children)
    )


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Html:
    """A table whose first column names its rows; what it holds beside may be text or numbers."""
    titles = join(*(element("th", title, scope="col") for title in head))
    body = [
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    ]
    parts = (
        element("caption", caption),
        element("thead", element("tr", titles)),
        element("tbody", *body),
    )
    return element("div", element("table", *parts), class_="scroll")
