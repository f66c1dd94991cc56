"""Answers about bytes, zeros and multiply-accumulates."""

from ui import words
from ui.language import _
from ui.learn.answers.asked import Answer, Asked
from ui.panels.ledger import weighed
from ui.session import caches


def file_kb(asked: Asked) -> Answer:
    """KB of the stored file. Facts: size, original, ratio, zeros."""
    size = caches.size(asked.model, asked.recipe)
    facts = (
        ("size", words.byte_size(size.stored_bytes)),
        ("original", words.byte_size(size.original_bytes)),
        ("ratio", words.ratio(size.compression_ratio)),
        ("zeros", words.percent(size.sparsity)),
    )
    return Answer(size.stored_bytes / 1000, words.byte_size(size.stored_bytes), facts)


def ledger_kb(asked: Asked, row: str) -> Answer:
    """KB of the same weights in the ledger's `row`. Facts: size, container, zeros."""
    sizes = {r.name: r.total_bytes for r in weighed(asked.model, asked.recipe, with_onnx=False)}
    found = sizes[row]
    if found is None:
        raise ValueError(
            _(
                "{row} does not apply to {model} with this recipe",
                row=_(row),
                model=asked.model,
            )
        )
    size = caches.size(asked.model, asked.recipe)
    facts = (
        ("size", words.byte_size(found)),
        ("container", words.byte_size(size.stored_bytes)),
        ("zeros", words.percent(size.sparsity)),
    )
    return Answer(found / 1000, words.byte_size(found), facts)


def ratio(asked: Asked) -> Answer:
    """How many times smaller the file is. Facts: those of `file_kb`."""
    size = caches.size(asked.model, asked.recipe)
    shown = words.ratio(size.compression_ratio)
    return Answer(size.compression_ratio, shown, file_kb(asked).facts)


def sparsity_percent(asked: Asked) -> Answer:
    """Zeros among the stored weights, in %. Facts: zeros, size."""
    size = caches.size(asked.model, asked.recipe)
    zeros = words.percent(size.sparsity)
    facts = (("zeros", zeros), ("size", words.byte_size(size.stored_bytes)))
    return Answer(100 * size.sparsity, zeros, facts)


def macs_percent(asked: Asked) -> Answer:
    """MACs that are left, in %. Facts: macs, original."""
    size = caches.size(asked.model, asked.recipe)
    share = size.macs / size.original_macs
    facts = (("macs", words.count(size.macs)), ("original", words.count(size.original_macs)))
    return Answer(100 * share, words.percent(share), facts)
