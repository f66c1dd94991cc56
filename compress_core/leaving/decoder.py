"""The lone decoder: one file of Python and numpy that reads our stored files without us.

It lies beside this one and imports nothing of ours, so that what was stored outlives this project.
"""

import textwrap
from pathlib import Path

from compress_core.models.catalog import MODELS, tensor_shapes

DECODER_FILE = Path(__file__).with_name("lone_decoder.py")
BLANK = "\0"  # at which no line is broken
NORM = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}


def decoder_source() -> str:
    """The text of the lone decoder, ready to be saved as `lone_decoder.py`."""
    return DECODER_FILE.read_text(encoding="utf-8")


def network_table() -> str:
    """The reference networks as the lone decoder's NETWORKS lists them: paste it there after a
    network was added or changed."""
    return "\n\n".join(f"{name}:\n{_wrapped(_modules(name))}" for name in MODELS)


def _wrapped(modules: list[str]) -> str:
    """Separated by commas, and no module on two lines."""
    whole = ", ".join(module.replace(" ", BLANK) for module in modules)
    return textwrap.fill(whole, 99, break_on_hyphens=False).replace(BLANK, " ")


def _modules(model: str) -> list[str]:
    """Each module as `name shape kind`."""
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, shape in tensor_shapes(model).items():
        module, _, tensor = key.rpartition(".")
        parts.setdefault(module, {})[tensor] = shape
    return [text for module, tensors in parts.items() for text in _described(module, tensors)]


def _described(module: str, tensors: dict[str, tuple[int, ...]]) -> list[str]:
    kinds = {frozenset({"weight"}): "", frozenset({"weight", "bias"}): "b", frozenset(NORM): "n"}
    kind = kinds.get(frozenset(tensors))
    if kind is None:
        names = {f"{module}.{tensor}".lstrip("."): shape for tensor, shape in tensors.items()}
        return [f"{name} {_sizes(shape)} p" for name, shape in names.items()]
    return [f"{module} {_sizes(tensors['weight'])} {kind}".rstrip()]


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
