"""Models that whoever starts the server trusts: own PyTorch code, ONNX files, Hugging Face folders.

model     TrustedModel: what was named, opened once; the variable by which workers find it
options   --model, --weights, --data … of the app and the command line
building  who a name stands for           weights  a file's tensors into the network
code      package.module:function         data     files and loaders
"""

from compress_core.trusted.model import VARIABLE, TrustedModel, trusted_model
from compress_core.trusted.options import (
    AppOptions,
    add_model_options,
    model_of,
    parse_app_options,
)

__all__ = [
    "VARIABLE",
    "AppOptions",
    "TrustedModel",
    "add_model_options",
    "model_of",
    "parse_app_options",
    "trusted_model",
]
