"""Networks for which torch's ONNX exporter writes a wrong graph, or one that cannot run."""

from torch import nn


def untranslated(module: nn.Module) -> str | None:
    """Why a network has no ONNX graph although torch would write one, None if it has.

    Seen with torch 2.13: the projection of an LSTM is left out, and the loop that stands for the
    mean of an EmbeddingBag ends onnxruntime's process.
    """
    for path, part in module.named_modules():
        if isinstance(part, nn.LSTM) and part.proj_size:
            return f"{path or 'it'} is an LSTM with proj_size={part.proj_size}, which ONNX lacks"
        if isinstance(part, nn.EmbeddingBag) and part.mode == "mean":
            return (
                f"{path or 'it'} is an EmbeddingBag with mode='mean', of which torch makes a graph "
                "that onnxruntime cannot load; take mode='sum' and divide, or the mean of an "
                "Embedding"
            )
    return None
