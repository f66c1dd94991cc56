"""What the calls in torch's pickles mean, as descriptions: storages and views of them."""

from dataclasses import dataclass
from typing import NamedTuple

DTYPES = {
    "Float": "F32", "Double": "F64", "Half": "F16", "BFloat16": "BF16", "Byte": "U8", "Char": "I8",
    "Short": "I16", "Int": "I32", "Long": "I64", "Bool": "BOOL", "ComplexFloat": "C64",
    "float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16", "uint8": "U8",
    "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "bool": "BOOL",
    "complex64": "C64", "uint16": "U16", "uint32": "U32", "uint64": "U64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ",
}  # fmt: skip
# Types that torch has and safetensors has not: read, and left out.
_UNWRITTEN = "ComplexDouble QInt8 QInt32 QUInt8 complex128 complex32 qint8 qint32 quint8"
UNWRITTEN = (*_UNWRITTEN.split(), "per_tensor_affine", "per_channel_affine")
REBUILD = "torch._utils._rebuild_"
VIEWS = (f"{REBUILD}tensor", f"{REBUILD}tensor_v2", f"{REBUILD}tensor_v3")
PARAMETERS = (f"{REBUILD}parameter", f"{REBUILD}parameter_with_state")
DICTS = ("collections.OrderedDict", "collections.Counter")
UNTYPED = "torch.storage.UntypedStorage"
ALLOWED = frozenset(
    {
        *VIEWS,
        *PARAMETERS,
        *DICTS,
        f"{REBUILD}qtensor",
        UNTYPED,
        "torch.storage.TypedStorage",
        "torch.Size",
        "torch.Tensor",
        "torch.device",
        "torch.nn.parameter.Parameter",
        "_codecs.encode",
        *(f"{room}.{kind}" for room in ("builtins", "__builtin__") for kind in ("set", "complex")),
        "builtins.bytearray",
        *(f"torch.{name}" for name in (*DTYPES, *UNWRITTEN) if name[0].islower()),
        *(
            f"{room}.{name}Storage"
            for room in ("torch", "torch.cuda")
            for name in (*DTYPES, *UNWRITTEN)
            if name[0].isupper()
        ),
    }
)


class Name(NamedTuple):
    """A function or a class that a pickle names."""

    full: str


class Other(NamedTuple):
    """What is neither a tensor nor a plain value; `kind` says what it is."""

    kind: str


class Call(NamedTuple):
    """A call of a pickle, or the making of an object."""

    name: object
    arguments: object


@dataclass(frozen=True)
class Storage:
    """Bytes of the file under `key`: `count` values of a type, None where safetensors has none.
    Untyped ones count bytes."""

    key: str
    dtype: str | None
    count: int


@dataclass(frozen=True)
class TensorClaim:
    """A view of a storage, as a pickle claims it; offset and strides count values."""

    storage: Storage
    dtype: str | None
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def storage_of(reference: object) -> Storage:
    """A storage from ("storage", class, key, device, count[, view]). Raises ValueError where it is
    none, and for views on storages, which torch stopped to write in 2017."""
    kind, cls, key, _, count, *view = reference if isinstance(reference, tuple) else ()
    if kind != "storage" or not isinstance(cls, Name) or any(view):
        raise ValueError
    short = cls.full.rpartition(".")[2].removesuffix("Storage")
    dtype = "U8" if cls.full == UNTYPED else DTYPES.get(short)
    return Storage(str(key), dtype, _as_count(count))


def rebuilt(call: Call) -> object:
    """What a call makes. Raises ValueError or TypeError where its arguments are not torch's."""
    name, arguments = call
    if not isinstance(name, Name) or not isinstance(arguments, tuple):
        raise ValueError
    if name.full in VIEWS:
        return _view(name.full, arguments)
    if name.full in PARAMETERS:
        return arguments[0]
    if name.full in DICTS:
        return {}
    if name.full == "torch.Size":
        return tuple(arguments[0])
    return Other(name.full.rpartition(".")[2].removeprefix("_rebuild_"))


def _view(name: str, arguments: tuple[object, ...]) -> TensorClaim:
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(storage, Storage):
        raise ValueError
    dtype = storage.dtype
    if name.endswith("_v3"):
        named = arguments[6]
        dtype = DTYPES.get(named.full.rpartition(".")[2]) if isinstance(named, Name) else None
    return TensorClaim(storage, dtype, _as_count(offset), _as_counts(shape), _as_counts(strides))


def _as_counts(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > 64:
        raise ValueError
    return tuple(map(_as_count, values))


def _as_count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError
    return value
