"""Who reads a hostile file, and what its user sees: the roads that the pages take."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from compress_core.opening.facts import SOURCE
from compress_core.sandbox import Limits, RefusedError, Room, SandboxError
from tests.hostile.row import Hostile, canary_of

BASE = 300_000_000  # bytes, which torch and onnxruntime take before anything is read
# On a machine that does other things a second of the processor takes many on the wall.
LIMITS = Limits(memory_bytes=BASE + 500_000_000, cpu_seconds=5.0, seconds=40.0)
STARTING_S = 60.0  # importing torch and onnxruntime is no part of what a file costs


def image_network() -> bytes:
    """Conv, mean, (n, 3, 4, 4) → (n, 4): it takes pictures, arrays and tables."""
    weight = numpy_helper.from_array(np.ones((4, 3, 2, 2), "float32"), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["m"]),
        helper.make_node("Flatten", ["m"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 4])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph(nodes, "g", [given], [made], [weight])
    opset = helper.make_opsetid("", 17)
    raw: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    return raw


class Reader:
    """A child for all rows, in which a small network is open; it starts again after rows that end
    it. A row of a model is opened in place of that network, a row of data looked at for it."""

    def __init__(self, folder: Path, reader: str) -> None:
        self.reader, self.folder = reader, folder
        self.room = Room(folder, LIMITS)
        self.is_ready = False

    def outcome(self, row: Hostile) -> tuple[str, dict[str, Any], bool]:
        """The sentence that the user sees, or "" and what was opened; whether code was run."""
        self.start()
        path = self.place(row)
        row.make(path)
        try:
            sentence, opened = "", self.ask(path)
        except SandboxError as error:
            sentence, opened = str(error), {}
            self.is_ready = isinstance(error, RefusedError)  # else it may have been ended
        return sentence, opened, canary_of(path).exists()

    def start(self) -> None:
        if self.is_ready:
            return
        self.clear()
        (self.folder / SOURCE).write_bytes(image_network())
        self.room.ask("open_network", {"title": "small"}, STARTING_S)
        self.is_ready = True

    def place(self, row: Hostile) -> Path:
        if self.reader == "data":
            return self.folder / f"data{row.ending}"
        self.clear()
        return self.folder / SOURCE

    def ask(self, path: Path) -> dict[str, Any]:
        if self.reader == "data":
            return self.room.ask("look_at_data", {"file": str(path), "title": path.name})
        return self.room.ask("open_network", {"title": "hostile"})

    def clear(self) -> None:
        for left in self.folder.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()
