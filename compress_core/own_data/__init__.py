"""Data of other people: a file or folder → a Dataset that fits the network.

reading      read_data(): .npz, .npy, CSV, folders and zips of images → OwnData
normalizing  how pixels were normalised: choices, a preview, a hint from a few labels
splitting    calibration and test share no row
generating   inputs from a seed, where there are no data
storing      a dataset as one file, for another process

Everything is a function of paths and tensors, so that it can run in a process with limits.
"""

from compress_core.own_data.generating import CANNOT_TELL, GENERATED, seeded_data
from compress_core.own_data.normalizing import (
    NORMALIZATIONS,
    Hint,
    Normalization,
    Preview,
    choices,
    hint_in_words,
    normalization_by_name,
    preview,
    suggest,
)
from compress_core.own_data.reading import KINDS, OwnData, read_data
from compress_core.own_data.splitting import Apart, keep_apart, split_apart
from compress_core.own_data.storing import read_dataset, write_dataset

__all__ = [
    "CANNOT_TELL",
    "GENERATED",
    "KINDS",
    "NORMALIZATIONS",
    "Apart",
    "Hint",
    "Normalization",
    "OwnData",
    "Preview",
    "choices",
    "hint_in_words",
    "keep_apart",
    "normalization_by_name",
    "preview",
    "read_data",
    "read_dataset",
    "seeded_data",
    "split_apart",
    "suggest",
    "write_dataset",
]
