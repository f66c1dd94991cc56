"""Several rows at once: whether the graph takes them, perhaps rewritten, or each by itself."""

from dataclasses import replace

import torch
from torch import Tensor

from compress_core.models.importing.onnx.network import Batching, OnnxNetwork
from compress_core.models.importing.onnx.ports import Port
from compress_core.models.importing.onnx.program import Instruction, Program
from compress_core.models.importing.onnx.seeding import output_scale, seeded_inputs

ROWS = 3
TOLERANCE = 1e-5  # of an output's range


def choose_batching(network: OnnxNetwork, seed: int = 0) -> None:
    """Set how several rows are computed: at once where that gives what each row gives alone.

    `network` is the importer's own, and written to. Raises ValueError where it does not run.
    """
    inputs, own, ports = seeded_inputs(network, seed, ROWS), network.program, network.outputs
    choices: tuple[tuple[Batching, Program], ...] = (
        ("batched", own),
        ("rewritten", _rewritten(network)),
    )
    for batching, program in choices:
        network.program, network.outputs = program, ports
        if _takes_rows(network, inputs):
            network.batching = batching
            return
    network.batching, network.program, network.outputs = "row by row", own, ports


def _takes_rows(network: OnnxNetwork, inputs: tuple[Tensor, ...]) -> bool:
    """Whether its program gives for several rows at once what it gives for each alone.

    On the way it is found which dimension of each output grows with the rows: the file may not
    say it.
    """
    try:
        with torch.no_grad():
            each = [network.compute([x[i : i + 1] for x in inputs]) for i in range(ROWS)]
            many = network.compute(inputs)
    except Exception:  # whatever an operator raises on shapes that do not fit
        return False
    network.outputs = tuple(
        replace(port, batch_axis=_grown(a, b, port.batch_axis))
        for port, a, b in zip(network.outputs, each[0], many, strict=True)
    )
    alone = [
        torch.cat([port.to_rows(one, 1) for one in ones])
        for port, ones in zip(network.outputs, zip(*each, strict=True), strict=True)
    ]
    together = (port.to_rows(one, ROWS) for port, one in zip(network.outputs, many, strict=True))
    rows = zip(network.outputs, together, alone, strict=True)
    return all(_same(network, port, a, b) for port, a, b in rows)


def _grown(one: Tensor, many: Tensor, known: int | None) -> int | None:
    if one.dim() != many.dim():
        return known
    sizes = zip(one.shape, many.shape, strict=True)
    grown = [i for i, (a, b) in enumerate(sizes) if a and b == ROWS * a]
    return grown[0] if grown and known not in grown else known


def _same(network: OnnxNetwork, port: Port, a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape:
        return False
    if not a.is_floating_point():
        return torch.equal(a, b)
    gap = (a - b).abs().nan_to_num(0.0)
    return not a.numel() or bool(gap.max() <= TOLERANCE * output_scale(network, port.name, b))


def _rewritten(network: OnnxNetwork) -> Program:
    """The program with -1 in front of each constant shape that a Reshape makes, the other sizes as
    one row has them."""
    program = network.program
    made = tuple(_for_any_batch(network, one) for one in program.instructions)
    return replace(program, instructions=made)


def _for_any_batch(network: OnnxNetwork, one: Instruction) -> Instruction:
    if one.layer or one.proto.op_type != "Reshape" or len(one.inputs) < 2:
        return one
    target = network.constants.get(one.inputs[1])
    if target is None or target.dim() != 1 or not len(target) or int(target[0]) < 1:
        return one
    sizes = target.tolist()
    if -1 in sizes:
        if sizes[0] != 1:
            return one
        free = [0, *sizes[1:]]  # 0 copies the size of the input
    else:
        free = [-1, *sizes[1:]]
    name = f"{one.inputs[1]}/rows"
    network.constants[name] = torch.tensor(free)
    return replace(one, inputs=(one.inputs[0], name))
