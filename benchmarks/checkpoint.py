"""A checkpoint of 10 GB without a network: from opening it to the picture, a release, a sweep.

Every line is a process of its own, so that its peak memory is its own (of a Python with torch about
0.4 GB). The files are written to a temporary folder before and deleted after.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.big_checkpoint import LAYERS, write_checkpoint
from benchmarks.browser import ROOT, chromium, running_app
from benchmarks.table import duration
from compress_core.command_line.console import print_table

FREE_BYTES = 14_000_000_000  # that the disk must have
TENSOR = "model.layers.7.mlp.up_proj.weight"
LARGEST = "lm_head.weight"
FRAMES_MS = 1500  # of dragging
SCRIPTS = {
    "open, census, picture of one tensor": f"""
found = opened(); profiles = Profiles(found); entry = found.entry({TENSOR!r})
group_entries(found.entries); census = profiles.census(entry)
scale_profile(entry, lambda: census, step, step, 0)
weigh_tensor(entry, (step,), lambda: census, most=1 << 20)
""",
    "open again, everything kept on disk": f"""
found = opened(); profiles = Profiles(found); entry = found.entry({TENSOR!r})
census = profiles.census(entry); scale_profile(entry, lambda: census, step, step, 0)
weigh_tensor(entry, (step,), lambda: census, most=1 << 20)
""",
    "release → bytes of the tensor and estimate of the whole": f"""
found = opened(); profiles = Profiles(found); entry = found.entry({TENSOR!r})
census = profiles.census(entry); clock()
weigh_tensor(entry, (step,), lambda: census, most=1 << 20); estimate_whole(found, (step,))
""",
    "census of the largest tensor": f"""
found = opened(); Profiles(found).census(found.entry({LARGEST!r}))
""",
    "all weights of one tensor, encoded": f"""
found = opened(); entry = found.entry({TENSOR!r})
weigh_tensor(entry, (step,), lambda: Profiles(found).census(entry))
""",
    "singular values of one tensor": f"""
found = opened(); singular_values(found.entry({TENSOR!r}))
""",
    "sweep of all tensors at 8, 6, 5, 4, 3, 2 bits": """
found = opened(); sweep_bits(found, bit_steps(), Silent())
""",
}
HEAD = """
import json, sys, time, torch
from pathlib import Path
from compress_core.checkpoint import *
from compress_core.events import Silent
from compress_core.methods.quantization import Quantize
from compress_core.views.checkpoint_profiles import scale_profile
torch.set_num_threads(1)
step, start = Quantize(bits=4), []
def opened(): return Checkpoint.open(sys.argv[1])
def clock(): start[:] = [time.perf_counter(), time.process_time()]
clock()
"""
TAIL = """
spent = time.perf_counter() - start[0], time.process_time() - start[1]
status = Path("/proc/self/status").read_text().splitlines()
peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(json.dumps([*spent, int(peak) * 1024]))
"""
TARGETS = {"open, census, picture of one tensor": "<= 2 s, <= 1.5 GB"}


def run() -> None:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < FREE_BYTES:
        print(f"\ncheckpoint: skipped, it writes 10.5 GB and the disk has {free / 1e9:.0f} free")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COMPRESS_PROFILES_DIR"] = str(Path(folder) / "profiles")
        path = Path(folder) / "model"
        path.mkdir()
        start = time.perf_counter()
        size = write_checkpoint(path, LAYERS)
        print(f"\n{size / 1e9:.1f} GB written in {time.perf_counter() - start:.0f} s")
        rows = [measured(what, script, path) for what, script in SCRIPTS.items()]
        rows += in_the_browser(path)
    title = "checkpoint: 10 GB of bf16 in shards, without a network"
    print_table(("what", "time", "processor", "peak memory", "target"), rows, title=title)


def measured(what: str, script: str, path: Path) -> tuple[str, ...]:
    """A line: seconds by the clock and of the processor, and peak memory, of a process that runs
    `script`. (The peak that the system tells of a child may be that of its parent.)"""
    out = subprocess.run(
        [sys.executable, "-c", HEAD + script + TAIL, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, processor, peak = json.loads(out.stdout)
    memory, target = f"{peak / 1e6:,.0f} MB", TARGETS.get(what, "")
    return what, duration(seconds), duration(processor), memory, target


def in_the_browser(path: Path) -> list[tuple[str, ...]]:
    """The page in a running app: first picture, frames while one drags, memory of the server."""
    os.environ["COMPRESS_CHECKPOINT"] = str(path)
    with chromium() as browser:
        if browser is None:
            return []
        with running_app() as app:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(app.origin)
            page.locator(".live canvas").first.wait_for()
            start = time.perf_counter()
            page.get_by_role("link", name="Checkpoint").click()
            page.locator(".st-key-checkpoint_settings").wait_for()
            page.locator(".live canvas").first.wait_for()
            first = time.perf_counter() - start
            frames = _frames(page)
            peak = _peak(app.pid)
    return [
        ("page: click on Checkpoint → first picture", duration(first), "", "", "<= 2 s"),
        ("page: frames a second while one drags", f"{frames:.0f}", "", peak, ">= 55, <= 1.5 GB"),
    ]


def _frames(page: Any) -> float:
    """Frames a second that the browser draws while the end of the range is dragged."""
    box = page.locator(".live .stage").bounding_box()
    middle, height = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate(
        "window.drawn = 0; (function tick() { window.drawn++; requestAnimationFrame(tick); })()"
    )
    page.mouse.move(middle, height)
    page.mouse.down()
    start, before = time.perf_counter(), page.evaluate("window.drawn")
    while (time.perf_counter() - start) * 1000 < FRAMES_MS:
        turn = (time.perf_counter() - start) * 2 % 1
        page.mouse.move(middle + turn * box["width"] / 2.2, height)
    drawn = page.evaluate("window.drawn") - before
    seconds = time.perf_counter() - start
    page.mouse.up()
    return float(drawn / seconds)


def _peak(pid: int) -> str:
    """The most memory that the server had, where the system tells."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
    return f"{int(found) / 1e3:,.0f} MB" if found else ""
