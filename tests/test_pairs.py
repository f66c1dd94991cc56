"""Every step alone and beside every other: what runs is what is stored, or is refused in words."""

from itertools import combinations

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset
from compress_core.graph import to_onnx
from compress_core.measurement import accuracy
from compress_core.measurement.accuracy import predict
from compress_core.measurement.ledger import ledger
from compress_core.measurement.report import measure_size
from compress_core.original import Original
from compress_core.recipe import Recipe, parse_step
from compress_core.steps import BY_NAME, TRAINING
from compress_core.storage.container import decode

FORMS = {
    "pair": "factorize:rank=3",
    "budget": "factorize:budget=0.6",
    "whitened": "factorize:rank=3,whiten=True",
    "spatial": "factorize:rank=4,form=spatial,layers=conv2",
    "tucker": "factorize:rank=4,form=tucker,layers=conv2",
}
PRUNINGS = {
    "prune": "prune:sparsity=0.6",
    "random": "random_prune:sparsity=0.4",
    "n:m": "prune_nm:n=2,m=4",
    "taylor": "prune_taylor:sparsity=0.5",
    "wanda": "prune_wanda:sparsity=0.5",
}
CODES = {
    "affine": "quantize:bits=3,scheme=asymmetric,granularity=group,group_size=8",
    "fp16": "quantize_float:format=fp16",
    "fp8": "quantize_float:format=fp8_e4m3",
    "nf4": "quantize_float:format=nf4",
    "mxfp4": "quantize_mx:format=mxfp4",
    "nvfp4": "quantize_mx:format=nvfp4",
    "binary": "binarize",
    "ternary": "ternarize",
    "gptq": "quantize_gptq:bits=3",
}
SHARED = {"share": "share:clusters=5", "one codebook": "share:clusters=9,scope=all"}
OTHERS = {
    "fold": "fold",
    "channels": "prune_structured:pruning_ratio=0.3",
    "bias": "correct_bias",
    "norms": "recalibrate_norms:samples=40",
    "rest": "quantize_rest",
    "inputs": "quantize_activations:bits=8",
    "dynamic inputs": "quantize_activations:bits=5,mode=dynamic",
}
TEXTS = FORMS | PRUNINGS | CODES | SHARED | OTHERS
PAIRS = list(combinations(TEXTS, 2))


class Network(nn.Module):
    """A convolution with its norm, one inside of a residual connection, and two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 8, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc1 = nn.Linear(8 * 9, 12)
        self.fc2 = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm1(self.conv1(x)))
        x = torch.relu(x + self.conv2(x))
        x = torch.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


@pytest.fixture(scope="module")
def network() -> Original:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Network()
        module.norm1.running_mean.uniform_(-0.5, 0.5)
        module.norm1.running_var.uniform_(0.5, 2)
        images = torch.rand(40, 2, 3, 3)
    data = Dataset("noise", "train", images, torch.arange(40) % 4, tuple("abcd"))
    return Original(module.eval(), (2, 3, 3), name="network", calibration=data)


def refusal(first: str, second: str) -> str | None:
    """Why two steps cannot act on the same layers, None where they can."""
    pair = {first, second}
    if pair & {"pair", "whitened"} and pair & {"taylor", "wanda"}:
        return "has no scores|out of one of the two steps"
    if pair == {"fold", "norms"}:
        return "without batch norms"
    if "binary" in pair and pair & PRUNINGS.keys():
        return "is pruned, and a 1-bit code has no zero"
    if pair & CODES.keys() and pair & SHARED.keys():
        return "either as codes of its own or as indices"
    return None


def recipe_of(*names: str) -> Recipe:
    return tuple(parse_step(TEXTS[name]) for name in names)


def images() -> Tensor:
    return torch.rand(6, 2, 3, 3, generator=torch.Generator().manual_seed(1))


def assert_stored_as_evaluated(compressed: Compressed) -> None:
    found, state = decode(compressed.container).state_dict, compressed.module.state_dict()
    assert found.keys() == state.keys()
    for key, value in state.items():
        assert found[key].dtype == value.dtype, key
        assert found[key].shape == value.shape, key
        assert found[key].numpy().tobytes() == value.contiguous().numpy().tobytes(), key


def test_every_step_there_is_takes_part() -> None:
    acting = {name for name, row in BY_NAME.items() if row.kind != TRAINING}  # in one stage
    assert {text.partition(":")[0] for text in TEXTS.values()} == acting


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[" + ".join(pair) for pair in PAIRS])
def test_two_steps_are_stored_as_evaluated_or_refused(
    network: Original, first: str, second: str
) -> None:
    recipe, words = recipe_of(first, second), refusal(first, second)
    if words:
        with pytest.raises(ValueError, match=words):
            compress(network, recipe)
        return
    compressed = compress(network, recipe)
    assert_stored_as_evaluated(compressed)
    with torch.inference_mode():
        assert compressed.module(images()).isfinite().all()
    size = measure_size(compressed)
    parts = size.rest_bytes + size.header_bytes + sum(row.bytes for row in size.layers)
    assert parts == size.stored_bytes == len(compressed.container)
    assert compressed.file.parts == decode(compressed.container).parts


@pytest.mark.parametrize("name", TEXTS)
def test_an_answer_depends_neither_on_the_batch_nor_on_the_order(
    network: Original, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = compress(network, recipe_of(name)).module
    many = torch.rand(30, 2, 3, 3, generator=torch.Generator().manual_seed(2))
    many *= torch.logspace(-2, 2, 30)[:, None, None, None]
    expected, order = predict(module, many), torch.arange(30).flip(0)
    assert_same_answers(predict(module, many[order]), expected[order])
    for batch in (1, 7):
        monkeypatch.setattr(accuracy, "BATCH", batch)
        assert_same_answers(predict(module, many), expected)


def assert_same_answers(found: Tensor, expected: Tensor) -> None:
    """Up to the order of sums, which moves an input over the edge of two codes once in a while."""
    difference = (found - expected).abs().amax(1) / expected.abs().amax(1)
    assert int((difference > 1e-5).sum()) <= 1
    assert float(difference.max()) < 0.05


@pytest.mark.parametrize("name", TEXTS)
def test_the_ledger_of_every_step_adds_up_to_its_file(network: Original, name: str) -> None:
    rows = {row.name: row for row in ledger(compress(network, recipe_of(name)))}
    ours = rows["our container"]
    assert ours.layer_bytes is not None
    assert sum(size for _, size in ours.layer_bytes) + (ours.rest_bytes or 0) == ours.total_bytes


@pytest.mark.parametrize("name", TEXTS)
def test_onnxruntime_agrees_with_every_step(network: Original, name: str) -> None:
    # beside 8-bit weights, as onnxruntime's optimizer would make such of float ones by itself
    beside = recipe_of("affine") if name == "inputs" else ()
    compressed = compress(network, (*recipe_of(name), *beside))
    session = onnxruntime.InferenceSession(to_onnx(compressed), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images().numpy()})
    with torch.inference_mode():
        expected = compressed.module(images())
    tolerance = 0.02 if "inputs" in name else 1e-4
    difference = (torch.from_numpy(logits) - expected).abs().max() / expected.abs().max()
    assert difference < tolerance


@pytest.mark.parametrize("name", ["pair", "spatial", "tucker", "channels", "fold", "share", "gptq"])
def test_onnxruntime_agrees_with_rounded_inputs_beside_it(network: Original, name: str) -> None:
    compressed = compress(network, recipe_of(name, "dynamic inputs"))
    session = onnxruntime.InferenceSession(to_onnx(compressed), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images().numpy()})
    with torch.inference_mode():
        expected = compressed.module(images())
    assert (torch.from_numpy(logits) - expected).abs().max() < 0.02 * expected.abs().max()


def test_a_whole_chain_is_stored_as_evaluated(network: Original) -> None:
    chain = recipe_of("fold", "channels", "pair", "prune", "share", "bias", "inputs")
    compressed = compress(network, chain)
    assert_stored_as_evaluated(compressed)
    assert measure_size(compressed).macs < measure_size(compress(network, ())).macs
