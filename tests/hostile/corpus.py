"""The hostile corpus: files that hurt, each with the sentence that its user sees."""

from tests.hostile.data_rows import DATA
from tests.hostile.onnx_rows import ONNX
from tests.hostile.row import Hostile
from tests.hostile.safetensors_rows import SAFETENSORS
from tests.hostile.torch_rows import TORCH

CORPUS: tuple[Hostile, ...] = (*SAFETENSORS, *TORCH, *ONNX, *DATA)
