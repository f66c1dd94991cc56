"""What a file is, checks before a parser sees it, and weights read in a sandbox."""

from compress_core.models.importing.files.checking import check_file
from compress_core.models.importing.files.errors import UnsafeFileError
from compress_core.models.importing.files.kinds import Kind, kind_of
from compress_core.models.importing.files.onnx_file import check_onnx
from compress_core.models.importing.files.opening import WeightsFile, read_weights

__all__ = [
    "Kind",
    "UnsafeFileError",
    "WeightsFile",
    "check_file",
    "check_onnx",
    "kind_of",
    "read_weights",
]
