"""A network that writes to its own weights as it runs has none that could be stored."""

from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


class refusing_writes(TorchDispatchMode):  # noqa: N801  # read as a function: with refusing_writes(…)
    """While it is entered, an operation that writes to a parameter of `module` raises ValueError.

    Also past autograd, as in `self.fc.weight.data.clamp_(-1, 1)`. Buffers may be written to.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and importing the compiler takes a second

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        named = module.named_parameters()
        self._keys = {parameter.untyped_storage()._cdata: key for key, parameter in named}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func._schema.is_mutable:
            for place, argument in enumerate(func._schema.arguments):
                given = args[place] if place < len(args) else (kwargs or {}).get(argument.name)
                if argument.alias_info is not None and argument.alias_info.is_write:
                    self._check(given)
        return func(*args, **(kwargs or {}))

    def _check(self, written: Any) -> None:
        if not isinstance(written, Tensor):
            return
        key = self._keys.get(written.untyped_storage()._cdata)
        if key is not None:
            raise ValueError(
                f"the network writes to its parameter {key} as it runs; do that once before, and "
                "leave it out of forward, or write to a copy (weight.clamp(…) instead of clamp_)"
            )
