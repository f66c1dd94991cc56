"""What the files are called that a compressed model leaves as, and what to know of each."""

from compress_core.wording.language import N_

TITLES = {
    "original": N_("Original, ONNX fp32"),
    "stored": N_("Stored file"),
    "readable": N_("Readable file"),
    "onnx": N_("ONNX as the recipe says"),
    "onnx_fp32": N_("ONNX fp32"),
    "onnx_int8_weights": N_("ONNX int8 weights"),
    "onnx_int4_weights": N_("ONNX int4 weights"),
    "onnx_int8": N_("ONNX int8, calibrated"),
    "dense": N_("Dense safetensors"),
    "state_dict": N_("State dict"),
    "recipe": N_("Recipe (JSON)"),
}
NOTES = {
    "original": N_("The network as it came, to compare with."),
    "stored": N_("The weights and all that decodes them; `restore` gives the network back."),
    "readable": N_(
        "The same content with names and settings as text, for any reader of safetensors. It is "
        "some hundred bytes a layer larger."
    ),
    "onnx": N_("Codes are integers behind DequantizeLinear. Zeros are stored."),
    "onnx_fp32": N_(
        "All values as floats: zeros, factors and smaller channels. Inputs are not rounded."
    ),
    "onnx_int8_weights": N_(
        "A scale for each output channel. The weights are floats again when it runs."
    ),
    "onnx_int4_weights": N_(
        "A scale for each 32 weights. The runtime must know int4, which came with opset 21."
    ),
    "onnx_int8": N_(
        "Weights and inputs in 8 bits, ranges from training images: integers are multiplied."
    ),
    "dense": N_("Every tensor in fp32, for your own code. Inputs are not rounded."),
    "state_dict": N_("The same for `torch.load(file, weights_only=True)`."),
    "recipe": N_("For `--recipe` of the command line, or `from_json` of the library."),
}
SATURATES = N_(
    "onnxruntime's int8 kernels saturate on this processor, which has no VNNI: on others the ONNX "
    "int8 file may answer better."
)
CODES_LEFT_OUT = N_(
    "Made of the recipe without its own codes, and without what was trained after them: rounding "
    "twice would lose accuracy twice."
)
