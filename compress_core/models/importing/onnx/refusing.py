"""What parsers and builders raise on a graph that contradicts itself, as one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from compress_core.models.importing.onnx.reading import OnnxError, shorten

AGAIN = "see what onnx.checker.check_model says of the file, and export the network again"


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Raise OnnxError, which begins with `what`, for errors that were not written for the person
    who brought the file; OnnxError and MemoryError pass."""
    try:
        yield
    except (OnnxError, MemoryError):
        raise
    except Exception as error:
        raise OnnxError(f"{what} ({_in_words(error)}); {AGAIN}") from error


def _in_words(error: Exception) -> str:
    """The first line of an error's text, after the name of its class where that tells more."""
    name = type(error).__name__
    text = next(iter(str(error).strip().splitlines()), "")
    if not text:
        return name
    return shorten(text if isinstance(error, ValueError) else f"{name}: {text}", 200)
