"""The step on whole models: what was evaluated is what the file holds, and each byte is counted."""

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load

from compress_core import Original, compress
from compress_core.measurement.report import measure_size
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import RecipeError, format_step, parse_step
from compress_core.storage import readable
from compress_core.storage.container import ContainerError, decode


@pytest.mark.parametrize("scope", ["layer", "all"])
def test_the_file_decodes_to_the_evaluated_weights(zoo_model: Original, scope: str) -> None:
    recipe = (Prune(sparsity=0.5), ShareWeights(8, scope=scope))  # type: ignore[arg-type]
    compressed = compress(zoo_model, recipe)
    state = decode(compressed.container).state_dict
    for key, value in compressed.module.state_dict().items():
        assert torch.equal(state[key], value)


def test_a_common_codebook_stands_in_the_file_once(digits_cnn: Original) -> None:
    compressed = compress(digits_cnn, (ShareWeights(16, scope="all"),))
    codebooks = [w.codes.codebook for s in compressed.layers.values() for w in s.weights]  # type: ignore[union-attr]
    assert all(codebook is codebooks[0] for codebook in codebooks)
    assert compressed.container.count(codebooks[0].numpy().tobytes()) == 1


@pytest.mark.parametrize("scope", ["layer", "all"])
def test_the_bytes_of_the_layers_add_up_to_the_file(digits_cnn: Original, scope: str) -> None:
    compressed = compress(digits_cnn, (ShareWeights(64, scope=scope),))  # type: ignore[arg-type]
    size = measure_size(compressed)
    layers = sum(row.bytes for row in size.layers)
    assert size.header_bytes + layers + size.rest_bytes == size.stored_bytes
    assert sum(decode(compressed.container).parts.values()) == layers + size.rest_bytes


def test_a_decoded_model_is_encoded_to_one_codebook_again(digits_cnn: Original) -> None:
    weights = decode(compress(digits_cnn, (ShareWeights(16, scope="all"),)).container).weights
    assert len({id(weight.codes.codebook) for weight in weights.values()}) == 1  # type: ignore[union-attr]


def test_a_file_that_gives_one_name_two_tensors_is_refused(digits_cnn: Original) -> None:
    weights = compress(digits_cnn, (ShareWeights(16, scope="all"),)).layers["fc1"].weights
    rest = {"bias": torch.ones(3)}
    same = {"same": {"bias": "fc1.weight:codebook"}}
    raw = readable.encode_readable(
        {"fc1.weight": weights[0]}, rest, tied={}, model="m", recipe={}
    ).raw
    with pytest.raises(ContainerError, match=r"\['bias'\] stand for two tensors each"):
        decode(_with_header(raw, same))


def _with_header(raw: bytes, fields: dict[str, Any]) -> bytes:
    """The same tensors with further fields in the header, and a checksum that fits."""
    metadata = readable._metadata(raw)
    text = json.dumps(json.loads(metadata[readable.HEADER_KEY]) | fields)
    tensors = load(raw)
    signed = {readable.HEADER_KEY: text, "sha256": readable._checksum(text, tensors)}
    return readable._save(tensors, signed)


def test_both_factors_of_a_pair_are_shared(digits_cnn: Original) -> None:
    compressed = compress(digits_cnn, (Factorize(rank=4, layers=("fc1",)), ShareWeights(4)))
    assert [weight.codes.bits for weight in compressed.layers["fc1"].weights] == [2, 2]  # type: ignore[union-attr]


def test_one_changed_layer_changes_a_common_codebook(digits_cnn: Original) -> None:
    share = ShareWeights(16, scope="all")
    first = next(iter(digits_cnn.layers))
    plain = compress(digits_cnn, (share,)).layers["fc1"]
    other = compress(digits_cnn, (Prune(sparsity=0.9, layers=(first,)), share)).layers["fc1"]
    assert not torch.equal(plain.dense, other.dense)


def test_the_step_has_a_text_form() -> None:
    step = ShareWeights(8, init="density", keep_zeros=False, scope="all")
    assert format_step(step) == "share:clusters=8,init=density,keep_zeros=False,scope=all"
    assert parse_step(format_step(step)) == step
    with pytest.raises(RecipeError, match="keep_zeros='no' of step 'share' must be True or False"):
        parse_step("share:keep_zeros=no")
