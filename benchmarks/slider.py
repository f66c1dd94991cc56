"""One moved slider on mnist-lenet-5: from its release to the new bytes, then to the accuracy.

Twenty settings, each met for the first time. Then the same moves in the running app by its agent
API: a rerun of the whole page, and besides a description of each chart that a browser never asks
for (most of what it takes beyond the accuracy).
"""

import copy
import gzip
import io
import json
import urllib.request
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune

from benchmarks.browser import running_app
from benchmarks.table import Lap, Row, row, show, timed
from compress_core import Original, Prune, Quantize, Recipe, compress, load_dataset, load_model
from compress_core.data import Dataset, is_available
from compress_core.measurement.accuracy import accuracy_of, predicted_classes
from compress_core.measurement.report import measure_size
from compress_core.models.checkpoints import load_network
from compress_core.original import Memo

MODEL = "mnist-lenet-5"
IMAGES = 2000
SPARSITIES = [(50 + 2 * i) / 100 for i in range(20)]
BYTES_TARGET, ACCURACY_TARGET = "<= 100 ms", "<= 500 ms"


def run() -> None:
    if not is_available("mnist"):
        print("\nslider: skipped, MNIST is not here; `python -m compress_core data mnist` gets it")
        return
    original, data = load_model(MODEL), load_dataset("mnist").subset(IMAGES)
    move(original, (Prune(sparsity=0.3),), data)  # the page was drawn before: profiles are built
    network = load_network(MODEL)
    peer = [timed(partial(plain_bytes, network, s))[1] for s in SPARSITIES]
    rows = [row("torch.nn.utils.prune → torch.save → gzip -6", peer)]
    for title, then in (("prune", ()), ("prune → quantize 5 bits", (Quantize(bits=5),))):
        laps = [move(original, (Prune(sparsity=s), *then), data) for s in SPARSITIES]
        stored, judged = zip(*laps, strict=True)
        rows += [
            row(f"{title}: release → stored bytes", stored, plain=peer, target=BYTES_TARGET),
            row(f"{title}: release → accuracy, n = {len(data):,}", judged, target=ACCURACY_TARGET),
        ]
    rows.append(Row("prune in the app: agent API → whole page, accuracy too", moves_in_the_app()))
    show(f"slider: one moved slider on {MODEL}, cold memo; {sizes(original, network)}", rows)


def sizes(original: Original, network: nn.Module) -> str:
    """What both ways store for the last setting."""
    sparsity = SPARSITIES[-1]
    ours = compress(original, (Prune(sparsity=sparsity),)).stored_bytes
    return f"at {sparsity:.0%} {ours:,} bytes, plain {plain_bytes(network, sparsity):,}"


def move(original: Original, recipe: Recipe, data: Dataset) -> tuple[Lap, Lap]:
    """Time to the stored bytes, and to the accuracy after them, both from the release."""
    original.memo = Memo()
    compressed, made = timed(lambda: compress(original, recipe))
    _, sized = timed(lambda: measure_size(compressed))
    _, classified = timed(lambda: accuracy_of(predicted_classes(compressed.module, data), data))
    return total(made, sized), total(made, sized, classified)


def total(*laps: Lap) -> Lap:
    return Lap(sum(lap.wall for lap in laps), sum(lap.interpreter for lap in laps))


def plain_bytes(network: nn.Module, sparsity: float) -> int:
    """Global magnitude pruning as PyTorch's tutorial does it, and the size of the gzipped file."""
    model = copy.deepcopy(network)
    pairs = [(layer, "weight") for layer in model.children()]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=sparsity)
    for module, name in pairs:
        prune.remove(module, name)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return len(gzip.compress(file.getvalue(), compresslevel=6))  # what the gzip command does


def moves_in_the_app() -> list[float]:
    """Seconds of each rerun of the Prune page, from the request to the finished page."""
    with running_app("app.py", "--server.enableAgentApi=true") as app:
        page = interact(app.origin, {"page": "prune", "query_params": {"model": [MODEL]}})
        session = page["session_id"]
        laps = []
        for sparsity in SPARSITIES:
            widgets = {"prune_sparsity": round(100 * sparsity, 1)}
            body = {"session_id": session, "widget_state": widgets}
            laps.append(timed(partial(interact, app.origin, body))[1].wall)
    return laps


def interact(origin: str, body: dict[str, Any]) -> dict[str, Any]:
    """One run of the page by the agent API. Raises RuntimeError if the page did not finish."""
    request = urllib.request.Request(
        f"{origin}/_stcore/agent/interact",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        found: dict[str, Any] = json.load(response)
    if found.get("status") != "ready":
        raise RuntimeError(f"the page did not finish: {str(found)[:500]}")
    return found
