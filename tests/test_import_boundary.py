"""The core is pure: it imports no shell, wakes no heavy library, and imports run downward only."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import compress_core

ROOT = Path(__file__).parents[1]
CORE = ROOT / "compress_core"
SHELL = ("streamlit", "plotly", "pandas", "ui", "pages")
HEAVY = ("onnx", "onnxruntime", "onnx_ir", "onnxscript", "sklearn", "netron", "pooch", "rich")
# A module may import those below it, and its neighbours in the same folder.
FLOORS = {
    "inputs": -2,
    "dataset": -1,
    "entering": -1,  # knows torch alone
    "processes": -2,
    "shown": -2,
    "sandbox": -1,
    "equality": -1,
    "events": -1,
    "writing": -1,
    "assets": -1,
    "plain": -1,
    "probing": 0,
    "weights": 0,
    "data": 0,
    "tasks": 0,
    "models": 0,
    "methods": 1,
    "calibration": 1,
    "digest": 1,
    "original": 2,
    "storage": 2,
    "stored": 3,
    "trusted": 3,
    "network": 4,
    "applying": 5,
    "steps": 6,
    "recipe": 7,
    "trained": 8,
    "recipe_edit": 8,
    "factor_steps": 9,
    "compressed": 9,
    "own_steps": 10,
    "restoring": 9,
    "measurement": 10,
    "checkpoint": 10.5,  # measures tensors, and is looked at by views and jobs
    "graph": 11,
    "views": 11,
    "search": 11,
    "training": 11,
    "own_data": 0,
    "wording": 12,
    "leaving": 13,
    "opening": 14,
    "sources": 15,
    "jobs": 16,
    "command_line": 17,
    "__main__": 18,
}


def modules() -> list[Path]:
    return sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "compress_core":
            yield from (f"compress_core.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_importing_the_core_imports_neither_the_shell_nor_exporters() -> None:
    code = f"import sys, compress_core; print(*sorted(set({SHELL + HEAVY}) & set(sys.modules)))"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == ""


def test_the_face_is_small_sorted_and_there() -> None:
    names = compress_core.__all__
    assert len(names) <= 20
    assert len(set(names)) == len(names)
    assert all(getattr(compress_core, name) is not None for name in names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_imports_run_downward_only(path: Path) -> None:
    room = path.relative_to(CORE).parts[0].removesuffix(".py")
    for name in imported(path):
        package, _, rest = name.partition(".")
        assert package not in SHELL
        if package == "compress_core":
            below = rest.partition(".")[0]
            assert below == room or FLOORS[below] < FLOORS[room], f"{room} imports {name}"
