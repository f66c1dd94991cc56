"""Weights without a network: a safetensors checkpoint of any size, one tensor at a time.

header     the header of a file, checked before anything of it is believed
opening    a checkpoint: one file, or its shards
reading    numbers of a tensor as float32, piece by piece
groups     thousands of tensors as some dozens of rows
census     the distinct values of a tensor, and how often each occurs
profiles   what was computed once, on disk, by content
plan       what steps do to a tensor that comes block by block
weighing   the bytes and the error of a tensor after some steps
spectrum   its singular values
ledger     its bytes in every encoding
sweep      all tensors at several bits
writing    the whole of it after some steps, in stored files
"""

from compress_core.checkpoint.census import Census, census_of, take_census
from compress_core.checkpoint.groups import Group, group_entries
from compress_core.checkpoint.header import CheckpointError, Entry, Limits
from compress_core.checkpoint.ledger import LedgerLine, TensorLedger, tensor_ledger
from compress_core.checkpoint.opening import Checkpoint
from compress_core.checkpoint.plan import check_steps
from compress_core.checkpoint.profiles import Profiles
from compress_core.checkpoint.spectrum import (
    check_spectrum,
    energy_kept,
    estimated_seconds,
    singular_values,
)
from compress_core.checkpoint.sweep import (
    SWEPT_BITS,
    GroupRow,
    SweepRow,
    bit_steps,
    by_group,
    of_whole,
    row_from_json,
    sweep_bits,
)
from compress_core.checkpoint.weighing import Total, Weighed, estimate_whole, weigh_tensor
from compress_core.checkpoint.writing import Written, write_compressed

__all__ = [
    "SWEPT_BITS",
    "Census",
    "Checkpoint",
    "CheckpointError",
    "Entry",
    "Group",
    "GroupRow",
    "LedgerLine",
    "Limits",
    "Profiles",
    "SweepRow",
    "TensorLedger",
    "Total",
    "Weighed",
    "Written",
    "bit_steps",
    "by_group",
    "census_of",
    "check_spectrum",
    "check_steps",
    "energy_kept",
    "estimate_whole",
    "estimated_seconds",
    "group_entries",
    "of_whole",
    "row_from_json",
    "singular_values",
    "sweep_bits",
    "take_census",
    "tensor_ledger",
    "weigh_tensor",
    "write_compressed",
]
