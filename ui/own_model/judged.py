"""What an opened network is judged on: its data, how their pixels are normalised, which output."""

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
import torch

from compress_core.opening.facts import SOURCE, Facts
from compress_core.sources import opened_facts
from ui import upload, wake_up, words
from ui.core_sentences import of_core
from ui.language import _
from ui.own_model import choosing
from ui.own_model.look import Look, begin_look
from ui.own_model.opening import begin
from ui.panels.images import Tile, tiles
from ui.session import fragments, values
from ui.session.state import Current

FILE, LOOK = choosing.DATA, "own_look"
SUFFIXES = (".npz", ".npy", ".csv", ".zip")
PIXELS, OUTPUT = "own_pixels", "own_output"  # keys of the choices


def show(current: Current, facts: Facts) -> None:
    """The place for data, and what becomes of them."""
    if not facts.runs:
        return
    upload.show(
        FILE,
        _("Your data"),
        SUFFIXES,
        _("x and y in an .npz, a CSV with labels, or a zip of images in a folder a class."),
        on_finish=partial(_look_at, current.model),
    )
    _look_panel(current.model)
    _choose_output(current.model, facts)


def _look_at(model: str) -> None:
    arrived = upload.finished(FILE)
    if not arrived:
        return
    st.session_state[LOOK] = begin_look(model, arrived[0])


def _present(model: str) -> Look | None:
    found = st.session_state.get(LOOK)
    return found if isinstance(found, Look) and found.model == model else None


@st.fragment
def _look_panel(model: str) -> None:
    look = _present(model)
    if look is None:
        return
    if not look.is_over:
        st.caption(
            _(
                ":material/hourglass_top: Looking at {title} in the sandbox…",
                title=words.escape_markdown(look.file.name),
            )
        )
        wake_up.show("own_look_wake_up", 2)
    elif look.problem:
        st.error(words.escape_markdown(of_core(look.problem)), title=_("These data do not fit"))
    else:
        _taken(look)


def _taken(look: Look) -> None:
    """What is in the data, what the network would see, and the button that takes them."""
    said = (*look.found["found"], *look.found["warnings"])
    st.caption(words.escape_markdown(". ".join(of_core(str(sentence)) for sentence in said)))
    chosen = _choose_pixels(look.found["choices"]) if look.found["choices"] else None
    st.button(
        _("Judge by these {n:,} rows", n=int(look.found["rows"])),
        key="own_take_data",
        type="primary",
        icon=":material/check:",
        on_click=_take,
        args=(look, chosen),
    )


def _choose_pixels(choices: list[dict[str, Any]]) -> str:
    """How pixels are normalised: the choice, a hint to it, and what the network then sees."""
    by_name = {str(choice["name"]): choice for choice in choices}
    best = max(choices, key=lambda choice: choice["accuracy"] or 0.0)
    if st.session_state.get(PIXELS) not in by_name:
        values.repair(PIXELS, str(best["name"]))
    name: str = st.selectbox(
        _("Pixels are normalised as in its training"),
        list(by_name),
        key=PIXELS,
        persist_state="session",
        help=_(
            "x′ = (x · scale − mean) / std. The network does not tell how its images were "
            "normalised; where there are labels, the accuracy of 200 rows is a hint."
        ),
    )
    choice = by_name[name]
    if choice["accuracy"] is not None:
        hints = [f"{n} {words.percent(c['accuracy'])}" for n, c in by_name.items()]
        st.caption(_("Right of some rows, as a hint: {hints}.", hints=", ".join(hints)))
    if "pixels" in choice:
        _preview(choice)
    return name


def _preview(choice: dict[str, Any]) -> None:
    """This is what the network sees."""
    pixels = torch.tensor(choice["pixels"], dtype=torch.float32).permute(0, 3, 1, 2) / 255
    alt = _("an image as the network sees it")
    tiles(
        [Tile(image, "", alt) for image in pixels],
        _(
            "This is what the network sees: black is {low:.3g}, white {high:.3g}.",
            low=choice["low"],
            high=choice["high"],
        ),
    )


def _take(look: Look, normalization: str | None) -> None:
    """Open the network anew, judged by these data."""
    folder, facts = opened_facts(look.model)
    asked = {
        "data": str(look.file.path),
        "data_title": look.file.name,
        "normalization": normalization,
        "output": facts.output,
    }
    choosing.start(begin(facts.title, folder / SOURCE, asked))
    fragments.refresh_app()


def _choose_output(model: str, facts: Facts) -> None:
    """Which of several outputs counts."""
    if len(facts.outputs) < 2:
        return
    names = [port.name for port in facts.outputs]
    key = f"{OUTPUT}_{model}"
    if st.session_state.get(key) not in names:
        values.repair(key, str(facts.output))
    st.selectbox(
        _("Output that is judged"),
        names,
        key=key,
        persist_state="session",
        on_change=_judge_output,
        args=(model,),
        help=_("The network is opened once more, and judged by this one."),
    )


def _judge_output(model: str) -> None:
    folder, facts = opened_facts(model)
    names = [port.name for port in facts.outputs]
    output = values.chosen(f"{OUTPUT}_{model}", names)
    if output == facts.output:
        return
    asked: dict[str, Any] = {"output": output}
    if facts.data_file:
        asked["data"] = str(folder / Path(facts.data_file).name)
        asked |= {"data_title": facts.data_title, "normalization": facts.normalization}
    choosing.start(begin(facts.title, folder / SOURCE, asked))
    fragments.refresh_app()
