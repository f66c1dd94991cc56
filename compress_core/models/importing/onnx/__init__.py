"""Networks of ONNX files: a torch module of layers and operators, compared with onnxruntime.

    network = import_onnx(path.read_bytes())
    compare_with_onnxruntime(path.read_bytes(), network).agrees

Importing this package takes the half second that onnx takes.
"""

from onnx import ModelProto

from compress_core.models.importing.onnx.agreement import (
    Agreement,
    OutputAgreement,
    compare_with_onnxruntime,
)
from compress_core.models.importing.onnx.batching import choose_batching
from compress_core.models.importing.onnx.constants import Codes
from compress_core.models.importing.onnx.importing import build_network
from compress_core.models.importing.onnx.network import OnnxNetwork, Place
from compress_core.models.importing.onnx.ports import Port
from compress_core.models.importing.onnx.reading import OnnxError
from compress_core.models.importing.onnx.refusing import refusing
from compress_core.models.importing.onnx.seeding import seeded_inputs

__all__ = [
    "Agreement",
    "Codes",
    "OnnxError",
    "OnnxNetwork",
    "OutputAgreement",
    "Place",
    "Port",
    "compare_with_onnxruntime",
    "import_onnx",
    "read_onnx",
    "run_once",
    "seeded_inputs",
]


def import_onnx(model: ModelProto | bytes) -> OnnxNetwork:
    """The network of an ONNX file, which has been run once on seeded inputs.

    Raises OnnxError (a ValueError), whatever is wrong with the file; MemoryError where a small part
    of it finds no memory.
    """
    network = read_onnx(model)
    run_once(network)
    return network


def read_onnx(model: ModelProto | bytes) -> OnnxNetwork:
    """The same, not run yet: see `run_once`."""
    with refusing("the graph cannot become a network"):
        return build_network(model)


def run_once(network: OnnxNetwork, seed: int = 0) -> None:
    """Find out how several rows of a network that was just read are computed.

    Raises OnnxError where it does not run on inputs of any usual size.
    """
    with refusing("the network does not run"):
        choose_batching(network, seed)
