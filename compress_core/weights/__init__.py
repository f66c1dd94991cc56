"""The weights of a network that can be compressed, and what is computed once of each.

walking     which they are: of layers, of recurrent modules, and parameters of the network itself
layer       one of them, its outputs first (`transposed` turns those of transposed convolutions)
profile     what is worth computing once of it
replacing   a network with other weights
reading     what the network reads of its layers by itself
coverage    which part of all parameters the layers reach
"""

from compress_core.weights.coverage import Coverage, find_coverage
from compress_core.weights.layer import Layer
from compress_core.weights.profile import (
    FloatArray,
    Profile,
    as_matrix,
    counts_below,
    decibels,
    energy,
    sqnr_db,
)
from compress_core.weights.reading import Reads, reads_outside
from compress_core.weights.replacing import with_tensors, with_weights
from compress_core.weights.transposed import inputs_first, outputs_first
from compress_core.weights.walking import LARGEST, walk_layers

__all__ = [
    "LARGEST",
    "Coverage",
    "FloatArray",
    "Layer",
    "Profile",
    "Reads",
    "as_matrix",
    "counts_below",
    "decibels",
    "energy",
    "find_coverage",
    "inputs_first",
    "outputs_first",
    "reads_outside",
    "sqnr_db",
    "walk_layers",
    "with_tensors",
    "with_weights",
]
