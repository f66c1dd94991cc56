"""Pickles of torch, read as a description of tensors; nothing that they name is ever called.

A pickle is a program: for each tensor it calls a function of torch with a storage, an offset, a
shape and strides. Here its steps are followed on a stack of plain values, and a call becomes a
description (`rebuilding`). What calls anything but the functions that rebuild plain tensors is
refused, as torch.load(weights_only=True) does; the list of functions is shorter than torch's: no
sparse or nested tensors, no subclasses.
Source: Python's pickletools; torch/_weights_only_unpickler.py.
"""

import pickletools
from collections.abc import Callable, Iterator
from typing import IO, Any

from compress_core.models.importing.files.errors import UnsafeFileError, refuse
from compress_core.models.importing.files.rebuilding import (
    ALLOWED,
    Call,
    Name,
    Other,
    rebuilt,
    storage_of,
)
from compress_core.shown import shown_name

MOST_BYTES = 64_000_000
MOST_STEPS = 1_500_000  # a tensor takes about 50
AT_HOME = "at home, run torch.save(model.state_dict(), 'weights.pt') and give that file"
UPLOAD_AGAIN = f"upload it again, or {AT_HOME}"
Stack = list[Any]


def read_pickle(file: IO[bytes]) -> object:
    """The values of the pickle at which `file` stands: dicts, lists, tuples, numbers and texts,
    with a TensorClaim for each tensor and Other for what is neither. `file` stands after it then.

    Raises UnsafeFileError for a function that is not in ALLOWED, for a step that torch.save does
    not write, and for what is damaged.
    """
    machine = _Machine()
    for count, (step, argument) in enumerate(_steps(file)):
        if count >= MOST_STEPS:
            raise refuse(f"it takes more than the {MOST_STEPS:,} steps that are read", AT_HOME)
        try:
            machine.follow(step, argument)
        except UnsafeFileError:
            raise
        except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise refuse("its pickle is damaged", UPLOAD_AGAIN) from error
    if len(machine.stack) != 1:
        raise refuse("its pickle is damaged", UPLOAD_AGAIN)
    return machine.stack[0]


def _steps(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    try:
        for opcode, argument, _ in pickletools.genops(file):
            yield opcode.name, argument
    except (ValueError, OverflowError, MemoryError) as error:
        raise refuse("its pickle is damaged or cut off", UPLOAD_AGAIN) from error


class _Machine:
    """The stack of values, the marks on it, and the values that are named again later."""

    def __init__(self) -> None:
        self.stack: Stack = []
        self.marks: list[Stack] = []
        self.memo: dict[int, Any] = {}

    def follow(self, step: str, argument: Any) -> None:
        if step in VALUES:
            self.stack.append(argument)
        elif step in CONSTANTS:
            self.stack.append(CONSTANTS[step]())
        elif step in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif step in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif step == "GLOBAL":
            self.stack.append(_allowed(argument))
        elif step == "MARK":
            self.marks.append(self.stack)
            self.stack = []
        elif step in ACTIONS:
            ACTIONS[step](self)
        elif step not in ("PROTO", "STOP"):
            raise refuse(
                f"its pickle has the step {step}, which torch.save does not write", AT_HOME
            )

    def since_mark(self) -> Stack:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def top(self, count: int) -> Stack:
        """Take the last `count` values."""
        if len(self.stack) < count:
            raise IndexError
        items, self.stack[-count:] = self.stack[-count:], []
        return items

    def make_tuple(self, count: int | None = None) -> None:
        items = self.since_mark() if count is None else self.top(count)
        self.stack.append(tuple(items))

    def set_items(self, items: Stack) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            target.update(
                (_as_key(key), value) for key, value in zip(items[::2], items[1::2], strict=True)
            )

    def append_items(self, items: Stack) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def reduce(self) -> None:
        name, arguments = self.top(2)
        self.stack.append(rebuilt(Call(name, arguments)))

    def build(self) -> None:
        """State of an object beside its values, such as the versions of a state dict's modules."""
        self.top(1)

    def load_storage(self) -> None:
        self.stack.append(storage_of(*self.top(1)))


VALUES = frozenset(("BININT", "BININT1", "BININT2", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"))
VALUES |= {"LONG1"}
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: Other("set"),
}
ACTIONS: dict[str, Callable[[_Machine], None]] = {
    "TUPLE": _Machine.make_tuple,
    "TUPLE1": lambda machine: machine.make_tuple(1),
    "TUPLE2": lambda machine: machine.make_tuple(2),
    "TUPLE3": lambda machine: machine.make_tuple(3),
    "SETITEM": lambda machine: machine.set_items(machine.top(2)),
    "SETITEMS": lambda machine: machine.set_items(machine.since_mark()),
    "APPEND": lambda machine: machine.append_items(machine.top(1)),
    "APPENDS": lambda machine: machine.append_items(machine.since_mark()),
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.load_storage,
}


def _as_key(key: object) -> str | int:
    """Other keys are named by their type: hashing a deep tuple can end a process."""
    return key if isinstance(key, str | int) else f"({type(key).__name__})"


def _allowed(argument: str) -> Name:
    name = argument.replace(" ", ".", 1)
    if name in ALLOWED:
        return Name(name)
    shown = shown_name(name)
    if name.startswith(("torch.nn.", "torchvision.models")):
        raise refuse(
            f"this is a whole pickled module ({shown}), which runs code when it is opened", AT_HOME
        )
    raise refuse(f"it wants to call '{shown}' when it is opened; only tensors are read", AT_HOME)
