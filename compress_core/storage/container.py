"""The stored file: it decodes to exactly the weights that were evaluated. It has two forms.

compact     (version 2) as few bytes as we know how to: what is downloaded and counted
readable    (version 1) safetensors that any of its readers opens, for those who want to look inside
"""

from compress_core.storage.compact import MAGIC, decode_compact, encode_compact
from compress_core.storage.content import ContainerError, Decoded, File
from compress_core.storage.readable import decode_readable, encode_readable

# Of all that decides how many bytes a file has. A higher one makes every kept size anew.
ENCODINGS = 3

__all__ = ["ContainerError", "Decoded", "File", "decode", "encode_compact", "encode_readable"]


def decode(raw: bytes) -> Decoded:
    """The content of a stored file of either form.

    Raises ContainerError for what is none, never returns damaged weights.
    """
    if not isinstance(raw, bytes):
        raise ContainerError(
            f"a {type(raw).__name__} is no bytes of a file; pass Path(name).read_bytes()"
        )
    return decode_compact(raw) if raw.startswith(MAGIC) else decode_readable(raw)
