"""The names of the compact form: model, recipe, keys, tied keys and rounded inputs, as JSON.

What follows from the model's name is left out, empty parts at the end too, and longer texts are
deflated with a preset dictionary of words that recipes and keys are made of.
"""

import json
import zlib
from typing import Any

from compress_core.storage.bytewise import Reader, varint
from compress_core.storage.entropy_coding import StreamError

LONG = 48  # bytes of text from which on it is deflated
MAX_TEXT = 2**26  # bytes of text: a few of deflated ones could stand for any number
PRESET = b"\0"  # before bytes that are deflated with WORDS: no JSON begins so
WORDS = (
    b"digits-mlp digits-transformer fashion-cnn cifar-resnet-20 mnist-lenet-300-100;"
    b"binarize;ternarize;fold;correct_bias;recalibrate_norms;random_prune:sparsity=0."
    b"prune_nm:n=2,m=4;prune_taylor:prune_wanda:samples=,threshold=,sigmas=,importance="
    b"factorize:energy=0.,form=tucker,whiten=True;rewind:start=random,l1_prune:strength=0.0"
    b"quantize_float:format=fp8_e4m3;quantize_gptq:damping=;quantize_activations:mode=dynamic,"
    b"schedule=linear,scheme=asymmetric,granularity=group,group_size=32,clipping=percentile,"
    b"percentile=,distil:alpha=0.,temperature=;qat:epochs=,learning_rate=0.00;finetune:epochs=;"
    b'share:clusters=16,scope=all,scope=global,scope=layer,layers=fc*|conv*,"],{},{"'
    b'["digits-cnn","prune:sparsity=0.9;quantize:bits=4,granularity=channel;"fc3.bias","fc3.weight"'
    b";prune_structured:pruning_ratio=0.5,layers=conv1;prune_structured:pruning_ratio=0.5,"
    b"layers=conv2;prune_structured:pruning_ratio=0.5,layers=fc1;"
    b'["conv1.bias","conv1.weight","conv2.bias","conv2.weight",'
    b'"fc1.bias","fc1.weight","fc2.bias","fc2.weight"]]'
    b'["mnist-lenet-5","gradual_prune:sparsity=0.9,epochs=10,seed=1;'
    b"quantize:bits=3,granularity=tensor,clipping=mse;"
    b'rate_train:strength=0.1,epochs=10,seed=1;quantize_rest:bits=4,scales=fp16"]'
)


def write_names(names: list[Any]) -> bytes:
    """A varint 2 · bytes, and the text without its last empty parts, deflated if it is long."""
    while len(names) > 1 and not names[-1]:
        names = names[:-1]
    text = json.dumps(names, separators=(",", ":")).encode()
    if len(text) >= LONG:
        squeeze = zlib.compressobj(9, wbits=-15, zdict=WORDS)
        text = min(text, PRESET + squeeze.compress(text) + squeeze.flush(), key=len)
    return varint(2 * len(text)) + text


def read_names(reader: Reader) -> Any:
    """The JSON that `write_names` was given; also as older files hold it.

    Raises StreamError or ValueError for what is none.
    """
    size, is_deflated = divmod(reader.number(), 2)  # 1: without the dictionary
    chunk = reader.take(size)
    if is_deflated:
        chunk = inflate(chunk, b"")
    elif chunk.startswith(PRESET):
        chunk = inflate(chunk[1:], WORDS)
    return json.loads(chunk)


def inflate(chunk: bytes, dictionary: bytes) -> bytes:
    squeezed = zlib.decompressobj(-15, zdict=dictionary)
    try:
        text = squeezed.decompress(chunk, MAX_TEXT)
    except zlib.error as error:
        raise StreamError(f"the names cannot be inflated: {error}") from error
    if not squeezed.eof or squeezed.unused_data:
        raise StreamError(f"the names are cut off, or longer than {MAX_TEXT} bytes")
    return text
