"""Recurrent layers whose weights are inputs: LSTM, GRU and RNN.

x is (T, B, in), a weight (directions, gates · hidden, in), a state (directions, B, hidden); y is
(T, directions, B, hidden). With `layout` 1 the batch is first, as ONNX 14 says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.activations import softplus
from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    multiple,
)
from compress_core.models.importing.onnx.operators.indexing import reverse_sequence

Activation = Callable[[Tensor], Tensor]
Step = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
USUAL = {
    "RNN": ("Tanh",),
    "GRU": ("Sigmoid", "Tanh"),
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
}


@dataclass(frozen=True)
class Settings:
    kind: str
    hidden: int
    directions: tuple[bool, ...]  # True: from the last step to the first
    activations: tuple[Activation, ...]  # of the first direction, then of the second
    clip: float | None
    batch_first: bool
    couple: bool  # LSTM: the forget gate is 1 − the input gate
    reset_after: bool  # GRU: the reset gate acts after the product with the state


@dataclass(frozen=True)
class Weights:
    """Of one direction: of the inputs, of the state, their biases, and the LSTM's peepholes."""

    inputs: Tensor
    state: Tensor
    bias: Tensor
    state_bias: Tensor
    peepholes: tuple[Tensor, ...] | None


def run(
    x: Tensor,
    weights: Tensor,
    state_weights: Tensor,
    *more: Tensor | None,
    settings: Settings,
) -> tuple[Tensor, ...]:
    """y, the last state and, for an LSTM, the last cell.

    ONNX's order of what may be left out: bias, lengths of the sequences, first state, first cell,
    peepholes.
    """
    bias, lengths, first, first_cell, peepholes = (*more, *[None] * 5)[:5]
    if settings.batch_first:
        x = x.transpose(0, 1)
        first, first_cell = (
            None if one is None else one.transpose(0, 1) for one in (first, first_cell)
        )
    cells = (first, first_cell) if settings.kind == "LSTM" else (first,)
    given = [_start(one, x, settings) for one in cells]
    results = []
    for i, backwards in enumerate(settings.directions):
        own = weights_of(i, weights, state_weights, bias, peepholes, settings)
        step = STEPS[settings.kind](own, settings, _activations_of(i, settings))
        start = tuple(one[i] for one in given)
        products = functional.linear(x, own.inputs, own.bias)
        results.append(run_direction(products, step, start, lengths, backwards))
    y = torch.stack([one[0] for one in results], 1)
    last = [torch.stack([one[1][k] for one in results]) for k in range(len(cells))]
    if settings.batch_first:
        return (y.permute(2, 0, 1, 3), *(one.transpose(0, 1) for one in last))
    return (y, *last)


def _start(given: Tensor | None, x: Tensor, settings: Settings) -> Tensor:
    if given is not None:
        return given
    return x.new_zeros(len(settings.directions), x.shape[1], settings.hidden)


def _activations_of(direction: int, settings: Settings) -> tuple[Activation, ...]:
    count = len(settings.activations) // len(settings.directions)
    return settings.activations[direction * count : (direction + 1) * count]


def weights_of(
    direction: int,
    weights: Tensor,
    state_weights: Tensor,
    bias: Tensor | None,
    peepholes: Tensor | None,
    settings: Settings,
) -> Weights:
    rows = weights.shape[1]
    both = weights.new_zeros(2 * rows) if bias is None else bias[direction]
    holes = None if peepholes is None else peepholes[direction].split(settings.hidden)
    return Weights(weights[direction], state_weights[direction], both[:rows], both[rows:], holes)


def run_direction(
    products: Tensor,
    step: Step,
    state: tuple[Tensor, ...],
    lengths: Tensor | None,
    backwards: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The states at every step (T, B, hidden), zero behind a sequence's end, and the last ones."""
    turned = _backwards(products, lengths) if backwards else products
    outputs = []
    for t in range(len(turned)):
        after = step(turned[t], state)
        if lengths is None:
            state, output = after, after[0]
        else:
            runs = (lengths > t).reshape(-1, 1)
            state = tuple(
                torch.where(runs, new, old) for new, old in zip(after, state, strict=True)
            )
            output = torch.where(runs, after[0], torch.zeros_like(after[0]))
        outputs.append(output)
    y = torch.stack(outputs) if outputs else products.new_zeros(0, *state[0].shape)
    return (_backwards(y, lengths) if backwards else y), state


def _backwards(x: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return x.flip(0)
    return reverse_sequence(x, lengths, batch_axis=1, time_axis=0)


def clipped(x: Tensor, settings: Settings) -> Tensor:
    return x if settings.clip is None else x.clamp(-settings.clip, settings.clip)


def lstm_step(weights: Weights, settings: Settings, activations: Sequence[Activation]) -> Step:
    """Gates in the order input, output, forget, cell."""
    gate_of, cell_of, out_of = activations

    def step(product: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        h, c = state
        gates = product + functional.linear(h, weights.state, weights.state_bias)
        into, out, forget, new = gates.chunk(4, -1)
        if weights.peepholes is not None:
            into, forget = into + weights.peepholes[0] * c, forget + weights.peepholes[2] * c
        into = gate_of(clipped(into, settings))
        kept = 1 - into if settings.couple else gate_of(clipped(forget, settings))
        c = kept * c + into * cell_of(clipped(new, settings))
        if weights.peepholes is not None:
            out = out + weights.peepholes[1] * c
        return gate_of(clipped(out, settings)) * out_of(c), c

    return step


def gru_step(weights: Weights, settings: Settings, activations: Sequence[Activation]) -> Step:
    """Gates in the order update, reset, hidden."""
    gate_of, hidden_of = activations
    n = 2 * settings.hidden

    def step(product: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = state
        gates = product[:, :n] + functional.linear(h, weights.state[:n], weights.state_bias[:n])
        update, reset = gate_of(clipped(gates, settings)).chunk(2, -1)
        rows, bias = weights.state[n:], weights.state_bias[n:]
        if settings.reset_after:
            more = reset * functional.linear(h, rows, bias)
        else:
            more = functional.linear(reset * h, rows, bias)
        new = hidden_of(clipped(product[:, n:] + more, settings))
        return ((1 - update) * new + update * h,)

    return step


def rnn_step(weights: Weights, settings: Settings, activations: Sequence[Activation]) -> Step:
    def step(product: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        more = functional.linear(state[0], weights.state, weights.state_bias)
        return (activations[0](clipped(product + more, settings)),)

    return step


STEPS = {"GRU": gru_step, "LSTM": lstm_step, "RNN": rnn_step}


def affine(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    return alpha * x + beta


def scaled_tanh(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    return alpha * torch.tanh(beta * x)


def hard_sigmoid(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    return torch.clamp(alpha * x + beta, 0, 1)


def activation_named(name: str, alpha: float | None, beta: float | None) -> Activation | None:
    """The activation by ONNX's name, in any letters; None for an unknown one."""
    a, b = alpha, beta
    known: dict[str, Activation] = {
        "affine": partial(affine, alpha=1.0 if a is None else a, beta=b or 0.0),
        "elu": partial(functional.elu, alpha=1.0 if a is None else a),
        "hardsigmoid": partial(
            hard_sigmoid, alpha=0.2 if a is None else a, beta=0.5 if b is None else b
        ),
        "leakyrelu": partial(functional.leaky_relu, negative_slope=0.01 if a is None else a),
        "relu": torch.relu,
        "scaledtanh": partial(
            scaled_tanh, alpha=1.0 if a is None else a, beta=1.0 if b is None else b
        ),
        "sigmoid": torch.sigmoid,
        "softplus": softplus,
        "softsign": functional.softsign,
        "tanh": torch.tanh,
        "thresholdedrelu": partial(
            functional.threshold, threshold=1.0 if a is None else a, value=0.0
        ),
    }
    return known.get(name.lower())


# Which activations take an α, and which of these also a β, from the lists of a node.
WITH_ALPHA = {"affine", "elu", "hardsigmoid", "leakyrelu", "scaledtanh", "thresholdedrelu"}
WITH_BETA = {"affine", "hardsigmoid", "scaledtanh"}


def read_activations(read: Attributes, kind: str, directions: int) -> list[Activation | None]:
    names = read.texts("activations") or USUAL[kind] * directions
    alphas = iter(read.numbers("activation_alpha") or ())
    betas = iter(read.numbers("activation_beta") or ())
    return [
        activation_named(
            name,
            next(alphas, None) if name.lower() in WITH_ALPHA else None,
            next(betas, None) if name.lower() in WITH_BETA else None,
        )
        for name in names
    ]


DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


def _recurrent(read: Attributes) -> Operator | None:
    kind = read.operator
    directions = DIRECTIONS.get(read.text("direction", "forward").lower())
    hidden = read.optional_integer("hidden_size")
    if directions is None or hidden is None:
        return None
    activations = read_activations(read, kind, len(directions))
    known = tuple(one for one in activations if one is not None)
    if len(known) != len(USUAL[kind]) * len(directions):
        return None
    read.ignore("output_sequence")  # of opset 1: all states are given anyhow
    settings = Settings(
        kind=kind,
        hidden=hidden,
        directions=directions,
        activations=known,
        clip=read.optional_number("clip"),
        batch_first=read.flag("layout"),
        couple=read.flag("input_forget"),
        reset_after=read.flag("linear_before_reset"),
    )
    return multiple(run, settings=settings)


TABLE: dict[str, Builder] = {"GRU": _recurrent, "LSTM": _recurrent, "RNN": _recurrent}
