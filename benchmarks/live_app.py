"""The app as it is, with a large synthetic network beside the shipped ones and a clock on reruns.

`/benchmark/reruns` answers with the processor time of each rerun's thread in seconds, without that
of forward passes: those run outside the interpreter's lock and hold nobody up.
"""

import threading
import time
from pathlib import Path
from typing import Any

import streamlit as st
import torch
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from torch import nn

from app import lifespan
from compress_core import original
from compress_core.measurement import accuracy, harm
from compress_core.models.catalog import MODELS, ModelSpec
from compress_core.models.checkpoints import load_network
from compress_core.models.networks import MLP
from ui.graph import routes as graph_routes
from ui.live_histogram import routes as live_routes

SHELL = Path(__file__).resolve().parents[1] / "ui" / "shell.py"
NAME, DEPTH, WIDTH = "synthetic-60", 60, 456  # 12.1 M weights


def build() -> nn.Module:
    torch.manual_seed(0)
    return MLP((64, *[WIDTH] * (DEPTH - 1), 10)).eval().requires_grad_(False)


def load(name: str) -> nn.Module:
    return build() if name == NAME else load_network(name)


MODELS[NAME] = ModelSpec(NAME, build, "digits", (1, 8, 8), "60 layers of random weights.")
setattr(original, "load_network", load)  # noqa: B010  # mypy takes it for a private name there

reruns: list[float] = []
forward = threading.local()


def timed_predict(*arguments: Any, **options: Any) -> Any:
    start = time.thread_time()
    try:
        return plain_predict(*arguments, **options)
    finally:
        forward.seconds = getattr(forward, "seconds", 0.0) + time.thread_time() - start


def timed_run(self: ScriptRunner, *arguments: Any) -> Any:
    forward.seconds, start = 0.0, time.thread_time()
    try:
        return plain_run(self, *arguments)
    finally:
        reruns.append(time.thread_time() - start - forward.seconds)


if accuracy.predict.__name__ == "predict":  # not timed yet
    plain_predict, plain_run = accuracy.predict, ScriptRunner._run_script
    accuracy.predict = timed_predict
    setattr(harm, "predict", timed_predict)  # noqa: B010  # as above
    ScriptRunner._run_script = timed_run  # type: ignore[method-assign, assignment]


async def answer(_request: Request) -> JSONResponse:
    return JSONResponse(reruns)


routes = [*graph_routes.ROUTES, *live_routes.ROUTES, Route("/benchmark/reruns", answer)]
app = st.App(SHELL, routes=routes, lifespan=lifespan)
