"""Whether a part of a network computes what its class of torch does, and nothing else."""

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

# what `Linear`, the convolutions and the norms run when they are called
METHODS = ("__call__", "forward", "_conv_forward", "_output_padding", "_check_input_dim")


def is_plain(part: nn.Module, *classes: type[nn.Module]) -> bool:
    """Whether `part` is one of `classes` and runs as that class does.

    Subclasses with a `forward` of their own, hooks and computed weights are not plain.
    """
    return isinstance(part, classes) and why_not_plain(part, *classes) is None


def why_not_plain(part: nn.Module, *classes: type[nn.Module]) -> str | None:
    """Why `part` may compute something else than its class among `classes` does, in words."""
    cls = next(cls for cls in classes if isinstance(part, cls))
    for method in METHODS:
        own = getattr(type(part), method, None)
        if own is not getattr(cls, method, None) or method in vars(part):
            return f"it is a {type(part).__name__} with a {method} of its own"
    if part._forward_hooks or part._forward_pre_hooks:
        return "hooks run before or after it"
    if is_parametrized(part) or "weight" not in part._parameters:
        return "its weight is computed on each pass"
    return None
