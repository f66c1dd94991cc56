"""Shared weights (methods.weight_sharing): the codebook, and indices into it by each coder."""

import torch

from compress_core.methods.weight_sharing import MAX_CLUSTERS, Shared
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams.coded import CodedForm, read_codes, symbols_of
from compress_core.storage.streams.stream import Header, Shape, Tensors, expect, expect_names

FAMILY = "shared_"


def shared_form(shared: Shared) -> CodedForm:
    """What is coded of shared weights. A common codebook is one tensor, which a file holds once."""
    header = {"shape": list(shared.indices.shape)}
    parameters = {"codebook": shared.codebook}
    symbols = symbols_of(shared.indices)
    return CodedForm(FAMILY, symbols, shared.codebook.numel(), parameters, header)


def decode_shared(header: Header, tensors: Tensors, _shape: Shape) -> Shared:
    expect_names(tensors, "codes", "codebook")
    entries = tensors["codebook"].numel()
    codebook = expect(tensors, "codebook", torch.float32, (entries,))
    if not 1 <= entries <= MAX_CLUSTERS:
        raise StreamError(f"a codebook of {entries} entries; it has 1 to {MAX_CLUSTERS}")
    return Shared(codebook, read_codes(header, tensors, FAMILY, entries))
