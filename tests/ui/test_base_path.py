"""Our own routes where the app is served below a path."""

import pytest
import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.asgi import ask
from ui.base_path import below_base_path


async def answer(request: Request) -> Response:
    return PlainTextResponse(request.path_params["name"])


ROUTES = [Route("/ours/{name}", answer, methods=["GET"])]


@pytest.mark.parametrize("base", ["lab", "/lab/"])
def test_they_answer_below_it_and_without_it(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "get_option", lambda _name: base)
    routes = below_base_path(ROUTES)
    assert [ask(routes, f"{at}/ours/x").body for at in ("", "/lab")] == [b"x", b"x"]
    assert ask(routes, "/other/ours/x").status == 404


def test_without_a_path_they_stay_as_they_are() -> None:
    assert below_base_path(ROUTES) == ROUTES
