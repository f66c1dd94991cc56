"""Netron in a real browser: it draws, keeps quiet, and asks nobody but us.

Netron disables `window.eval`, so these tests look through locators only.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from playwright.sync_api import FrameLocator, Page, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.graph.routes import BASE, ROUTES, publish

pytestmark = pytest.mark.browser

Serve = Callable[[ASGIApp], str]


def tiny_graph() -> bytes:
    """x → Gemm → Relu → y, with facts about compression on the Gemm."""
    weight = numpy_helper.from_array(np.zeros((4, 3), dtype=np.float32), "fc.weight")  # (in, out)
    gemm = helper.make_node("Gemm", ["x", "fc.weight"], ["h"], name="fc")
    gemm.metadata_props.add(key="sparsity", value="0.925")
    relu = helper.make_node("Relu", ["h"], ["y"], name="relu")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph([gemm, relu], "tiny", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    onnx.checker.check_model(model)
    return model.SerializeToString()


def app_with_iframe(src: str) -> Starlette:
    """An app that shows an address in an iframe, as a Streamlit page does."""

    page = HTMLResponse(
        "<!DOCTYPE html><link rel='icon' href='data:,'>"
        f"<iframe src='{src}' style='width: 100%; height: 800px'></iframe>"
    )
    return Starlette(routes=[*ROUTES, Mount("/", app=page)])


def expect_tiny_graph(viewer: Page | FrameLocator) -> None:
    """Both nodes are drawn, and no dialog, spinner or welcome page stands before them."""
    expect(viewer.locator("body")).to_have_class("default")
    types = viewer.locator("svg#canvas g.node-item-type")
    expect(types.filter(has_text="Gemm")).to_be_visible()
    expect(types.filter(has_text="Relu")).to_be_visible()


def test_the_graph_is_drawn_inside_a_page_of_the_app(page: Page, serve: Serve) -> None:
    page.goto(serve(app_with_iframe(publish(tiny_graph(), "tiny"))))
    expect_tiny_graph(page.frame_locator("iframe"))


def test_no_request_leaves_the_machine_and_nothing_is_logged(
    page: Page, serve: Serve, console_errors: list[str], foreign_requests: list[str]
) -> None:
    page.goto(serve(app_with_iframe(publish(tiny_graph(), "tiny"))))
    viewer = page.frame_locator("iframe")
    viewer.locator("g.node-item-type", has_text="Gemm").click()
    viewer.locator("#sidebar-closebutton").click()
    expect_tiny_graph(viewer)
    assert foreign_requests == []
    assert console_errors == []


def test_clicking_a_node_shows_its_metadata(page: Page, serve: Serve) -> None:
    page.goto(serve(Starlette(routes=ROUTES)) + publish(tiny_graph(), "tiny"))
    page.locator("g.node-item-type", has_text="Gemm").click()
    item = page.locator("#sidebar .sidebar-item", has=page.locator("input[value='sparsity']"))
    expect(item).to_contain_text("0.925")


def test_the_viewer_works_behind_a_path_prefix(page: Page, serve: Serve) -> None:
    origin = serve(Starlette(routes=[Mount("/behind/a/prefix", routes=ROUTES)]))
    page.goto(origin + "/behind/a/prefix" + publish(tiny_graph(), "tiny"))
    expect_tiny_graph(page)


def test_a_name_full_of_markup_is_shown_as_text(page: Page, serve: Serve) -> None:
    name = '50 % "pruned" <b>&\''
    page.goto(serve(Starlette(routes=ROUTES)) + publish(tiny_graph(), name))
    expect(page).to_have_title(f"{name}.onnx")


@pytest.mark.parametrize(
    ("theme", "colour"), [("dark", "rgb(64, 64, 64)"), ("light", "rgb(255, 255, 255)")]
)
def test_the_theme_overrides_the_systems_colours(
    page: Page, serve: Serve, theme: str, colour: str
) -> None:
    page.emulate_media(color_scheme="light" if theme == "dark" else "dark")
    page.goto(serve(Starlette(routes=ROUTES)) + publish(tiny_graph(), "tiny") + f"?theme={theme}")
    expect_tiny_graph(page)
    expect(page.locator("body")).to_have_css("background-color", colour)


def test_the_operator_descriptions_are_fetched_once(page: Page, serve: Serve) -> None:
    served: Counter[str] = Counter()
    app = Starlette(routes=ROUTES)

    async def counting_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["query_string"]:
            served[scope["path"]] += 1
        await app(scope, receive, send)

    origin = serve(counting_app)
    for _ in range(2):
        page.goto(origin + publish(tiny_graph(), "tiny"))
        expect_tiny_graph(page)
    assert served[f"{BASE}/onnx-metadata.json"] == 1


def test_a_lost_graph_is_explained_in_words(page: Page, serve: Serve) -> None:
    page.goto(serve(app_with_iframe(f"{BASE}/{'x' * 32}.html")))
    viewer = page.frame_locator("iframe")
    expect(viewer.get_by_role("heading")).to_have_text("This graph is no longer here")
    expect(viewer.get_by_text("Reload the page")).to_be_visible()
