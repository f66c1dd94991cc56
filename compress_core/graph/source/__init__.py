"""The ONNX graph of a network that came as one: the file's own graph with other weights.

Names, types, free sizes, operators and notes stay the file's; only the nodes that read a layer's
weight are written anew, so that they read it as torch lays it out, under its state-dict key.
"""

from compress_core.graph.source.opsets import wished_opset
from compress_core.graph.source.structure import source_structure

__all__ = ["source_structure", "wished_opset"]
