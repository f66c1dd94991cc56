"""A network of the original architecture takes the shape of a stored one.

Nothing of its values is needed: sizes come from the shapes in the file, the form of factors from
the recipe. Each function writes to the private copy that it is given.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress_core.methods.low_rank import Factorize
from compress_core.methods.step import matched_by
from compress_core.methods.structured.attention import packed_attentions
from compress_core.methods.structured.surgery import is_depthwise
from compress_core.recipe import Recipe, of_kinds
from compress_core.stored import BUILDERS, Form

Shapes = Mapping[str, tuple[int, ...]]  # of the file's tensors, by state-dict key
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class RestoreError(ValueError):
    """A file and a network do not belong together; the message names what differs."""


def fit(module: nn.Module, shapes: Shapes, recipe: Recipe) -> None:
    """Give `module` the modules and sizes of the network whose tensors have these shapes; its own
    values do not matter, and tensors of another size are left empty."""
    if of_kinds(recipe, ("fold",)):
        remove_folded_norms(module, shapes)
    if of_kinds(recipe, ("structured",)):
        fit_heads(module, shapes)
        fit_channels(module, shapes)
    put_factors(module, shapes, recipe)
    add_biases(module, shapes)


def remove_folded_norms(module: nn.Module, shapes: Shapes) -> None:
    """An Identity in place of each batch norm of which the file has nothing."""
    for name, part in list(module.named_modules()):
        keys = [key_of(name, key) for key in part.state_dict()]
        if isinstance(part, _BatchNorm) and keys and not any(key in shapes for key in keys):
            replace_module(module, name, nn.Identity().eval())


def fit_heads(module: nn.Module, shapes: Shapes) -> None:
    """As many heads as the rows of `qkv` make."""
    for name, attention in list(packed_attentions(module)):
        widths = _cut_widths(f"{name}.qkv", attention.qkv, shapes)
        if widths is not None:
            attention.heads = widths[0] // (3 * attention.head_width)


def fit_channels(module: nn.Module, shapes: Shapes) -> None:
    """The widths of layers and norms that the file's tensors have."""
    for name, part in module.named_modules():
        widths = _cut_widths(name, part, shapes)
        if isinstance(part, _BatchNorm):
            own = (part.num_features,)
            keys = (key_of(name, key) for key in ("weight", "running_mean"))
            found = min(own, next((shapes[key] for key in keys if key in shapes), own))
            part.num_features = found[0]
            for tensor in ("weight", "bias", "running_mean", "running_var"):
                _resize(part, tensor, found)
        elif isinstance(part, nn.Linear) and widths:
            part.out_features, part.in_features = widths
            _resize(part, "weight", widths)
            _resize(part, "bias", widths[:1])
        elif isinstance(part, CONVOLUTIONS) and widths:
            part.groups = widths[0] if is_depthwise(part) else part.groups
            part.out_channels, part.in_channels = widths[0], widths[1] * part.groups
            _resize(part, "weight", (*widths, *part.kernel_size))
            _resize(part, "bias", widths[:1])


def _cut_widths(name: str, part: nn.Module, shapes: Shapes) -> tuple[int, int] | None:
    """The outputs of a layer, and its inputs (of one group): the first two sizes of its weight, in
    one piece or in factors. None for another part, and for a layer that would grow by them."""
    if not isinstance(part, (nn.Linear, *CONVOLUTIONS)):
        return None
    factors = factor_shapes(name, shapes)
    whole = shapes.get(key_of(name, "weight"), ())
    first, last = (factors[0], factors[-1]) if factors else (whole, whole)
    out, inputs = (last[0], first[1]) if len(first) > 1 else (0, 0)
    grows = out > part.weight.shape[0] or inputs > part.weight.shape[1]
    return None if grows or not out else (out, inputs)


def _resize(part: nn.Module, name: str, shape: tuple[int, ...]) -> None:
    old = getattr(part, name)
    if isinstance(old, Tensor) and tuple(old.shape) != shape:
        empty = torch.empty(shape, dtype=old.dtype)
        if name in part._parameters:
            part._parameters[name] = nn.Parameter(empty, requires_grad=False)
        else:
            part._buffers[name] = empty


def add_biases(module: nn.Module, shapes: Shapes) -> None:
    """Biases, empty, for the layers that had none of their own until a norm was folded into them
    or their mean output corrected."""
    for key, shape in shapes.items():
        owner, _, attribute = key.rpartition(".")
        weight = shapes.get(f"{key.removesuffix('bias')}weight", ())
        if attribute.endswith("bias") and shape == weight[:1] and has_module(module, owner):
            slots = module.get_submodule(owner)._parameters
            if attribute in slots and slots[attribute] is None:
                slots[attribute] = nn.Parameter(torch.empty(shape), requires_grad=False)


def has_module(module: nn.Module, name: str) -> bool:
    return name in dict(module.named_modules(remove_duplicate=False))


def key_of(name: str, attribute: str) -> str:
    """The state-dict key of a tensor of the module called `name`."""
    return f"{name}.{attribute}" if name else attribute


def factor_shapes(name: str, shapes: Shapes) -> tuple[tuple[int, ...], ...]:
    """The shapes of the factors that run in the place of a layer; none of one in one piece."""
    return tuple(shapes[key] for key in factor_keys(name) if key in shapes)


def factor_keys(name: str) -> tuple[str, ...]:
    """The state-dict keys of the weights of up to three factors."""
    return tuple(key_of(name, f"{place}.weight") for place in range(3))


def put_factors(module: nn.Module, shapes: Shapes, recipe: Recipe) -> None:
    """The factors' modules, weights unset, in the place of each layer that the file has in factors.

    Raises RestoreError where no form that the recipe names has these shapes.
    """
    for name, part in list(module.named_modules()):
        whole, factors = key_of(name, "weight"), factor_shapes(name, shapes)
        if factors and whole not in shapes and isinstance(part, (nn.Linear, *CONVOLUTIONS)):
            replace_module(module, name, _factors(name, part, factors, recipe))


def _factors(
    name: str, part: nn.Module, factors: tuple[tuple[int, ...], ...], recipe: Recipe
) -> nn.Module:
    ranks = [shape[0] for shape in factors[:-1]]
    for form in named_forms(name, recipe):
        try:
            made = BUILDERS[form](part, *ranks)
        except TypeError:  # not of this kind of layer, or of another number of factors
            continue
        if tuple(_weight_shape(factor) for factor in made) == factors:
            return made
    raise RestoreError(
        f"{name} has factors of {', '.join(map(str, factors))} in the file, which no step of its "
        f"recipe makes of the {type(part).__name__} in this network; pass the network that the "
        "file was made of"
    )


def named_forms(name: str, recipe: Recipe) -> list[Form]:
    """The forms in which the recipe may have factorized a layer, the last step's first."""
    steps = [step for step in reversed(recipe) if isinstance(step, Factorize)]
    return [s.form for s in steps if any(matched_by(pattern, (name,)) for pattern in s.layers)]


def _weight_shape(module: nn.Module) -> tuple[int, ...]:
    assert isinstance(module.weight, Tensor)
    return tuple(module.weight.shape)


def replace_module(module: nn.Module, name: str, part: nn.Module) -> None:
    """Set `part` in the place of the module called `name`, and wherever else that one stands."""
    old, owners = module.get_submodule(name), list(module.modules())
    for owner in owners:
        for attribute, child in list(owner._modules.items()):
            if child is old:
                owner._modules[attribute] = part
