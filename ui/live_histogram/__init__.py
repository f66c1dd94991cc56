"""The picture that can be dragged: a component of our own, drawn by the browser alone.

During a drag nothing is sent to the server. Each `release` sends it the chosen values (a wish) with
a serial number. The answer carries that number back, so that a late answer never undoes a later
drag. As a busy server merges quick messages, each release also repeats the unanswered ones.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from ui import language
from ui.live_histogram.routes import FOLDER, PREFIX
from ui.palette import ROLES
from ui.session import fragments

# A few lines: they travel with every rerun. The scripts themselves come from our own routes, once.
LOADER = f"""
const {{ mount }} = await import(new URL("{PREFIX}/main.js", document.baseURI));
export default mount;
"""


def component() -> Any:
    """The component, registered on first use: the registry belongs to the running server."""
    return st.components.v2.component(
        "live_histogram",
        html='<div class="live"></div>',
        css=(Path(FOLDER) / "style.css").read_text(),
        js=LOADER,
    )


def _apply(recipe: str) -> None:
    # the server imports this module before it listens: torch would take seconds there
    from compress_core.recipe import parse_recipe
    from ui.session import recipe_field

    recipe_field.set_recipe(parse_recipe(recipe))


def show(
    mode: str,
    data: dict[str, Any],
    *,
    on_release: Callable[[dict[str, Any]], None],
    page: str | None = None,
) -> None:
    """Draw `data` as on the page called `mode`; `on_release` is a callback that gets each wish, but
    for a click on the small plane: that point's recipe becomes the recipe. `page`: the page that
    draws it, if it is another one.

    `data` has what the small plane shows (`plane`; None: there is none), the addresses `profiles`
    and, for some pages, `view`, and the `constants` that the page's script shares with Python; see
    main.js and its siblings.
    """
    key = f"{page}_{mode}_live" if page else f"{mode}_live"
    serial = f"{key}_serial"

    def release() -> None:
        found = st.session_state.get(key)  # gone where the page was left in the same moment
        with fragments.refresh_once():
            for wish in (found and found.release) or []:
                if wish["serial"] > st.session_state.get(serial, 0):
                    st.session_state[serial] = wish["serial"]
                    if "recipe" in wish:
                        _apply(wish["recipe"])
                    else:
                        on_release({name: v for name, v in wish.items() if name != "serial"})

    component()(
        key=key,
        data={
            "mode": mode,
            "serial": st.session_state.get(serial, 0),
            **data,
            "language": language.current(),
            "texts": language.in_context(language.current(), language.FROM_SCRIPTS),
            "constants": {"roles": ROLES, **data.get("constants", {})},
        },
        on_release_change=release,
    )
