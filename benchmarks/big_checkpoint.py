"""A large checkpoint with realistic weights, written block by block: memory stays small.

Names and shapes are those of a language model of about five billion weights. A weight is a sum of
256 directions whose strengths fall as a power law, and heavy-tailed noise, times a scale for each
output channel that is log-normal: so it has the spectrum, the outliers and the uneven channels that
trained weights have.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

HIDDEN, INNER, HEADS, VOCABULARY, LAYERS = 4096, 9216, 1024, 32_000, 32
SHARD_BYTES = 5_000_000_000
DIRECTIONS, DECAY = 256, 0.7
POOL = 1 << 22  # values of noise that are drawn once, and rotated
ROWS = 1024  # of a tensor that are made at once

Shapes = dict[str, tuple[int, ...]]


def shapes(layers: int = LAYERS) -> Shapes:
    """The tensors of a model of so many layers, by name."""
    found: Shapes = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    block = {
        "self_attn.q_proj": (HIDDEN, HIDDEN),
        "self_attn.k_proj": (HEADS, HIDDEN),
        "self_attn.v_proj": (HEADS, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HIDDEN),
        "mlp.gate_proj": (INNER, HIDDEN),
        "mlp.up_proj": (INNER, HIDDEN),
        "mlp.down_proj": (HIDDEN, INNER),
        "input_layernorm": (HIDDEN,),
        "post_attention_layernorm": (HIDDEN,),
    }
    for i in range(layers):
        found |= {f"model.layers.{i}.{name}.weight": shape for name, shape in block.items()}
    return found | {"model.norm.weight": (HIDDEN,), "lm_head.weight": (VOCABULARY, HIDDEN)}


def write_checkpoint(folder: Path, layers: int = LAYERS) -> int:
    """Write the shards and their index; returns the bytes of all tensors."""
    wanted, parts, size = shapes(layers), [Shapes()], 0
    for name, shape in wanted.items():
        if size + _bytes(shape) > SHARD_BYTES:
            parts, size = [*parts, {}], 0
        parts[-1][name] = shape
        size += _bytes(shape)
    generator = torch.Generator().manual_seed(0)
    places: dict[str, str] = {}
    pool = torch.randn(POOL, generator=generator)
    pool *= 1 + 0.25 * pool.square()  # heavier tails than a normal distribution
    for i, part in enumerate(parts):
        file = folder / f"model-{i + 1:05}-of-{len(parts):05}.safetensors"
        _write_shard(file, part, pool, generator)
        places |= dict.fromkeys(part, file.name)
    total = sum(map(_bytes, wanted.values()))
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return total


def _bytes(shape: tuple[int, ...]) -> int:
    return 2 * torch.Size(shape).numel()


def _write_shard(file: Path, part: Shapes, pool: Tensor, generator: torch.Generator) -> None:
    offset, header = 0, {}
    for name, shape in part.items():
        end = offset + _bytes(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for shape in part.values():
            for block in _blocks(shape, pool, generator):
                out.write(block.bfloat16().view(torch.int16).numpy().tobytes())


def _blocks(shape: tuple[int, ...], pool: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    if len(shape) == 1:
        yield torch.ones(shape)
        return
    rows, columns = shape
    strengths = torch.arange(1, DIRECTIONS + 1).float().pow(-DECAY)
    right = torch.randn(DIRECTIONS, columns, generator=generator) * strengths[:, None]
    for start in range(0, rows, ROWS):
        count = min(ROWS, rows - start)
        low_rank = torch.randn(count, DIRECTIONS, generator=generator) @ right
        turn = int(torch.randint(POOL, (1,), generator=generator))
        noise = pool.roll(turn).repeat(-(-count * columns // POOL))[: count * columns]
        scales = torch.randn(count, 1, generator=generator).mul(0.3).exp()
        yield 0.02 * scales * (0.3 * low_rank + noise.view(count, columns))
