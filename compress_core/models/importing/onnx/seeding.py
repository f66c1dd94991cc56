"""Inputs for a network that nobody has given any: of the right shapes and types, by seed."""

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from compress_core.models.importing.onnx.calls import Lookup
from compress_core.models.importing.onnx.network import OnnxNetwork
from compress_core.models.importing.onnx.ports import Port
from compress_core.models.importing.onnx.program import Instruction, all_instructions
from compress_core.models.importing.onnx.reading import OnnxError

IMAGE_SIZES = (64, 96, 128, 224, 256, 320, 640, 32)
SEQUENCE_SIZES = (16, 32, 64, 128, 256, 512, 1024, 4096, 16000, 1, 2)
CHANNELS = {1, 3, 4}
SAMPLE_RATES = (16000, 8000, 44100)
RATE = re.compile(r"^(sr|rate|fs)$|sampl\w*_?rate", re.IGNORECASE)
ONES = re.compile(r"mask|length|lens|valid", re.IGNORECASE)
HANDED_ON = {
    *("Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Identity", "Slice"),
    *("Expand", "Concat", "Clip", "Where", "Max", "Min"),
}
SMALLEST_SCALE = 1e-6  # of an output
# of one that these make, whose rounding is 6e-8 however small they are: a map of zeros
PROBABILITIES, SMALLEST_PROBABILITY = {"Sigmoid", "HardSigmoid", "Softmax"}, 1e-2
FEW = 2  # whole numbers of which nothing is known are below this


def seeded_inputs(network: OnnxNetwork, seed: int, rows: int = 1) -> tuple[Tensor, ...]:
    """Random inputs of `rows` rows, rows first: normal noise, tokens that the tables have, masks
    of ones. Free sizes are the first usual ones for which the network runs.

    Raises OnnxError for a network that runs on none of them, with the last reason.
    """
    reason = ""
    for sizes in _size_choices(network):
        inputs = draw(network, sizes, seed, rows)
        try:
            with torch.no_grad():
                network(*(tensor[:1] for tensor in inputs))
        except Exception as error:  # whatever an operator raises on shapes that do not fit
            reason = reason or f"{type(error).__name__}: {str(error).strip()[:200]}"
            continue
        return inputs
    raise OnnxError(
        f"the network does not run on random inputs of any usual size ({reason}); see "
        "whether the file runs in onnxruntime, and export the network again"
    )


def draw(
    network: OnnxNetwork, sizes: Mapping[str, int], seed: int, rows: int
) -> tuple[Tensor, ...]:
    """Inputs of the given free sizes."""
    generator = torch.Generator().manual_seed(seed)
    limits = token_limits(network)
    one_row = all(port.batch_axis is None for port in network.inputs)  # is all that the file takes
    return tuple(
        made if one_row or port.batch_axis is not None else made[:1].expand_as(made).clone()
        for port in network.inputs
        for made in [_draw(port, sizes, generator, rows, limits)]
    )


def _draw(
    port: Port,
    sizes: Mapping[str, int],
    generator: torch.Generator,
    rows: int,
    limits: Mapping[str, int],
) -> Tensor:
    shape = (rows, *(_size(size, port, i, sizes) for i, size in _row_dims(port)))
    whole = not port.dtype.is_floating_point
    if (port.batch_axis is None and whole and not port.shape) or RATE.search(port.name[:80]):
        return torch.full(shape, SAMPLE_RATES[0], dtype=port.dtype)
    if port.name in limits:
        return torch.randint(limits[port.name], shape, generator=generator).to(port.dtype)
    if whole and ONES.search(port.name[:80]):
        return torch.ones(shape, dtype=port.dtype)
    if whole:
        return torch.randint(FEW, shape, generator=generator).to(port.dtype)
    return torch.randn(shape, generator=generator).to(port.dtype)


def _row_dims(port: Port) -> Iterator[tuple[int, int | str | None]]:
    return ((i, size) for i, size in enumerate(port.shape) if i != port.batch_axis)


def _size(size: int | str | None, port: Port, place: int, sizes: Mapping[str, int]) -> int:
    if isinstance(size, int):
        return size
    known = sizes.get(_symbol(size, port, place))
    return known if known is not None else _computed(str(size), sizes)


def _computed(expression: str, sizes: Mapping[str, int]) -> int:
    """The size that a sum such as past + 1 names."""
    terms = [term.strip() for term in expression.split("+")]
    return sum(int(term) if term.isdigit() else sizes.get(term, 1) for term in terms)


def _symbol(size: int | str | None, port: Port, place: int) -> str:
    """Free sizes of the same name are equal; those without one are each their own."""
    anonymous = size is None or not re.match(r"^[A-Za-z_]", str(size)) or str(size) == "None"
    return f"{port.name}/{place}" if anonymous else str(size)


def _size_choices(network: OnnxNetwork) -> Iterator[dict[str, int]]:
    """Sizes to try for what is free: first as images and sequences usually are."""
    images, sequences = dict[str, None](), dict[str, None]()
    for port in network.inputs:
        free = [(i, s) for i, s in _row_dims(port) if not isinstance(s, int)]
        for place, size in free:
            if "+" in str(size):
                continue
            kinds = images if _is_image(port) and len(free) >= 2 else sequences
            kinds[_symbol(size, port, place)] = None
    for i in range(max(len(IMAGE_SIZES), len(SEQUENCE_SIZES))):
        image = IMAGE_SIZES[min(i, len(IMAGE_SIZES) - 1)]
        sequence = SEQUENCE_SIZES[min(i, len(SEQUENCE_SIZES) - 1)]
        past = {name: 4 for name in sequences if "past" in name.lower()}
        yield dict.fromkeys(images, image) | dict.fromkeys(sequences, sequence) | past
        if not images and not sequences:
            return
    yield dict.fromkeys(images, 3) | dict.fromkeys(sequences, 3)


def _is_image(port: Port) -> bool:
    if len(port.shape) != 4:
        return False
    return any(port.shape[i] in CHANNELS or port.shape[i] is None for i in (1, 3))


def token_limits(network: OnnxNetwork) -> dict[str, int]:
    """How many rows the smallest table has in which the values of an input are looked up, or how
    many classes it is spread out over (one hot)."""
    limits: dict[str, int] = {}
    for port in network.inputs:
        reached, found = {port.name}, list[int]()
        for one in all_instructions(network.program):
            if not reached.intersection(one.inputs):
                continue
            if one.proto.op_type in HANDED_ON:
                reached.update(one.outputs)
            else:
                found += _limit(network, one, reached)
        if found:
            limits[port.name] = max(min(found), 1)
    return limits


def _limit(network: OnnxNetwork, one: Instruction, reached: set[str]) -> list[int]:
    """How many values a node can look up, of which it has `reached` ones; nothing if it looks up
    none."""
    if isinstance(one.call, Lookup):
        table = network.layer(one.layer)
        assert isinstance(table, nn.Embedding)
        return [table.num_embeddings]
    match one.proto.op_type:
        case "Gather" if one.inputs[1] in reached:
            data = network.held(one.inputs[0])
            axis = next((a.i for a in one.proto.attribute if a.name == "axis"), 0)
            return [data.shape[axis]] if data is not None and data.dim() else []
        case "OneHot" if one.inputs[0] in reached:
            depth = network.held(one.inputs[1])
            return [int(depth.max())] if depth is not None else []
        case "Equal":
            others = (_held_behind(network, name) for name in one.inputs if name not in reached)
            return [int(found.max()) + 1 for found in others if found is not None and len(found)]
    return []


def _held_behind(network: OnnxNetwork, name: str) -> Tensor | None:
    """The constants, more than one, that a value hands on in another shape."""
    makers = {made: one for one in all_instructions(network.program) for made in one.outputs}
    while name in makers and makers[name].proto.op_type in HANDED_ON:
        name = makers[name].inputs[0]
    found = network.held(name)
    return found.flatten() if found is not None and found.numel() > 1 else None


def output_scale(network: OnnxNetwork, name: str, values: Tensor) -> float:
    """What differences of an output are measured against: its largest minus its smallest value, or
    its largest absolute value where that is more, as for a single number."""
    made = (one for one in network.program.instructions if name in one.outputs)
    probable = any(one.proto.op_type in PROBABILITIES for one in made)
    least = SMALLEST_PROBABILITY if probable else SMALLEST_SCALE
    finite = (values[values.isfinite()] if values.is_floating_point() else values).double()
    if not finite.numel():
        return least
    width = float(finite.max() - finite.min())
    return max(width, float(finite.abs().max()), least)
