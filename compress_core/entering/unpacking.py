"""torch's attention and encoder modules are replaced by ours, where the answers are equal.

Only exact classes: a subclass has a forward of its own, and hooks see what they expect to see.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from compress_core.entering.attention import Attention, Encoder, EncoderLayer
from compress_core.entering.copying import copy_network

TOLERANCE = 1e-6  # of the largest output, in float64: an equal formula differs by far less
OUT_PROJECTIONS = {"NonDynamicallyQuantizableLinear", "Linear"}
PACKED = ("in_proj_weight", "in_proj_bias")


def unpack_attention(model: nn.Module) -> nn.Module:
    """`model`, which is written to, with our attention and encoders; or ours in its place."""
    return _Unpacking(model).replaced(model)


class _Unpacking:
    """Modules that stand in several places, and packed parameters that several modules have in
    common, are replaced once: what was tied stays tied."""

    def __init__(self, model: nn.Module) -> None:
        self._done: dict[int, nn.Module] = {}
        self._pieces: dict[int, tuple[nn.Parameter, ...]] = {}
        self._others = Counter(
            id(parameter)
            for part in model.modules()
            for name, parameter in part._parameters.items()
            if not (type(part) is nn.MultiheadAttention and name in PACKED)
        )

    def replaced(self, module: nn.Module) -> nn.Module:
        """What stands in the place of `module`: itself, if there is nothing to replace it by."""
        if id(module) not in self._done:
            made = self._encoder(module) or self._encoder_layer(module) or self._attention(module)
            self._done[id(module)] = made or module
            if made is None and not _reads_parts(module):
                for name, child in list(module._modules.items()):
                    if child is not None:
                        module._modules[name] = self.replaced(child)
        return self._done[id(module)]

    def _attention(self, module: nn.Module) -> nn.Module | None:
        if type(module) is not nn.MultiheadAttention or not _plain(module):
            return None
        if type(module.out_proj).__name__ not in OUT_PROJECTIONS:
            return None
        packed = [getattr(module, name) for name in PACKED]
        if any(id(parameter) in self._others for parameter in packed if parameter is not None):
            return None
        made = Attention(
            self._projections(module),
            heads=module.num_heads,
            batch_first=module.batch_first,
            bias_kv=(module.bias_k, module.bias_v),
            add_zero_attn=module.add_zero_attn,
        )
        return made.eval() if _alike(module, made, _attention_calls(module)) else None

    def _projections(
        self, module: nn.MultiheadAttention
    ) -> tuple[nn.Linear, nn.Linear, nn.Linear, nn.Linear]:
        packed = module._parameters["in_proj_weight"]
        if packed is not None:
            weights = self._split(packed)
        else:
            names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
            weights = tuple(module.get_parameter(name) for name in names)
        biases: tuple[nn.Parameter | None, ...] = (None, None, None)
        packed = module._parameters["in_proj_bias"]
        if packed is not None:
            biases = self._split(packed)
        q, k, v = map(_linear, weights, biases)
        out = module.out_proj
        return q, k, v, _linear(out.get_parameter("weight"), out._parameters["bias"])

    def _split(self, packed: nn.Parameter) -> tuple[nn.Parameter, ...]:
        if id(packed) not in self._pieces:
            pieces = (piece.detach().clone() for piece in packed.chunk(3))
            self._pieces[id(packed)] = tuple(nn.Parameter(p, packed.requires_grad) for p in pieces)
        return self._pieces[id(packed)]

    def _encoder_layer(self, module: nn.Module) -> nn.Module | None:
        if type(module) is not nn.TransformerEncoderLayer or not _plain(module):
            return None
        attention = self._attention(module.self_attn)
        if attention is None:
            return None
        made = EncoderLayer(module, attention).eval()
        return made if _alike(module, made, _encoder_calls(module)) else None

    def _encoder(self, module: nn.Module) -> nn.Module | None:
        if type(module) is not nn.TransformerEncoder or not _plain(module):
            return None
        layers = [self._done.get(id(x)) or self._encoder_layer(x) for x in module.layers]
        found = [layer for layer in layers if layer is not None]
        if len(found) < len(module.layers):
            return None
        for old, new in zip(module.layers, found, strict=True):
            self._done[id(old)] = new
        zero_padding = bool(getattr(module, "use_nested_tensor", False))
        made = Encoder(nn.ModuleList(found), module.norm, zero_padding=zero_padding).eval()
        return made if _alike(module, made, _encoder_calls(module.layers[0])) else None


def _reads_parts(module: nn.Module) -> bool:
    """Whether a module's own forward may read the parameters of the attention inside of it."""
    return isinstance(module, nn.TransformerEncoderLayer | nn.TransformerEncoder)


def _plain(module: nn.Module) -> bool:
    """Whether no hook and no forward of its own was set on the module or its parts."""
    return not any(
        part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part)
        for part in module.modules()
    )


def _linear(weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Linear:
    out_features, in_features = weight.shape
    made: nn.Linear = nn.utils.skip_init(
        nn.Linear, in_features, out_features, bias=bias is not None
    )
    made.weight = weight
    if bias is not None:
        made.bias = bias
    return made.eval()


Call = tuple[tuple[Tensor, ...], dict[str, Any]]


def _alike(before: nn.Module, after: nn.Module, calls: Iterator[Call]) -> bool:
    """Whether both answer alike on all calls, output by output, in float64."""
    before, after = (copy_network(module).double() for module in (before, after))
    try:
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            # of torch's own fast path, which is only compared with here
            warnings.filterwarnings("ignore", "The PyTorch API of nested tensors", UserWarning)
            return all(
                _close(x, y)
                for inputs, named in calls
                for x, y in zip(
                    _outputs(before, inputs, named), _outputs(after, inputs, named), strict=True
                )
            )
    except (RuntimeError, AssertionError):  # torch's own refuses what we do not: it stays
        return False


def _outputs(module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Any]) -> list[Tensor]:
    found = module(*inputs, **named)
    outputs = found if isinstance(found, tuple) else (found,)
    return [output for output in outputs if output is not None]


def _close(x: Tensor, y: Tensor) -> bool:
    return x.shape == y.shape and bool((x - y).abs().max() <= TOLERANCE * x.abs().max())


def _noise() -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def _attention_calls(module: nn.MultiheadAttention) -> Iterator[Call]:
    """Three queries, four keys and values, two in a batch; with weights, without, and masked."""
    noise, batch = _noise(), (2, -1) if module.batch_first else (-1, 2)

    def draw(tokens: int, width: int) -> Tensor:
        return noise(*(tokens if size < 0 else size for size in batch), width)

    triple = draw(3, module.embed_dim), draw(4, module.kdim), draw(4, module.vdim)
    mask = torch.ones(3, 4, dtype=torch.bool).triu(1)
    padding = torch.tensor([[False] * 4, [False, False, False, True]])
    yield triple, {}
    yield triple, {"need_weights": False}
    yield triple, {"attn_mask": mask, "average_attn_weights": False}
    yield triple, {"attn_mask": mask, "key_padding_mask": padding, "need_weights": False}
    if module.embed_dim == module.kdim == module.vdim:  # the fast path of torch
        alone = draw(4, module.embed_dim)
        yield (alone, alone, alone), {"key_padding_mask": padding}


def _encoder_calls(layer: nn.TransformerEncoderLayer) -> Iterator[Call]:
    """Two sentences of four tokens, as they are, with a causal mask, and with padding behind."""
    noise, width = _noise(), layer.self_attn.embed_dim
    shape = (2, 4, width) if layer.self_attn.batch_first else (4, 2, width)
    tokens = noise(*shape)
    yield (tokens,), {}
    yield (tokens, torch.ones(4, 4, dtype=torch.bool).triu(1)), {}
    padding = torch.tensor([[False] * 4, [False, False, True, True]])
    yield (tokens,), {"src_key_padding_mask": padding}
