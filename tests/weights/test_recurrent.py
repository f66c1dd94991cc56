"""Recurrent modules keep a second list of their weights: what runs must be what was stored."""

import copy

import pytest
import torch
from torch import Tensor, nn

from compress_core.compressed import compress
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize
from compress_core.original import Original
from compress_core.storage.container import decode
from compress_core.weights import walk_layers, with_weights


class Speech(nn.Module):
    def __init__(self, rnn: nn.RNNBase) -> None:
        super().__init__()
        self.rnn = rnn
        self.fc = nn.Linear((1 + rnn.bidirectional) * (rnn.proj_size or rnn.hidden_size), 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.rnn(x)[0].mean(1))
        return out


RECURRENT = {
    "rnn": lambda: nn.RNN(4, 5, batch_first=True),
    "gru": lambda: nn.GRU(4, 5, num_layers=2, batch_first=True, bias=False),
    "lstm": lambda: nn.LSTM(4, 5, batch_first=True, bidirectional=True),
    "projected": lambda: nn.LSTM(4, 5, proj_size=3, batch_first=True),
}


@pytest.fixture(params=RECURRENT)
def speech(request: pytest.FixtureRequest) -> Original:
    torch.manual_seed(0)
    return Original(Speech(RECURRENT[request.param]()).eval(), (6, 4))


def test_every_weight_of_a_recurrent_module_is_a_layer(speech: Original) -> None:
    wide = {key for key, weight in speech.module.named_parameters() if weight.dim() > 1}
    assert set(speech.layers) == wide - {"fc.weight"} | {"fc"}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_the_forward_reads_the_compressed_weights(speech: Original) -> None:
    """The oracle is torch's own module, loaded with the state of the file."""
    compressed = compress(speech, (Prune(sparsity=0.5), Quantize(bits=4, granularity="channel")))
    x = torch.randn(3, 6, 4)
    fresh = copy.deepcopy(speech.module)
    fresh.load_state_dict(decode(compressed.container).state_dict)
    torch.testing.assert_close(compressed.module(x), fresh(x))
    assert not torch.allclose(compressed.module(x), speech.module(x), atol=1e-3)


def test_a_copy_with_other_weights_leaves_the_first_as_it_is(speech: Original) -> None:
    x = torch.randn(3, 6, 4)
    before = speech.module(x)
    key = "rnn.weight_hh_l0"
    silent = with_weights(speech.module, {key: torch.zeros_like(speech.layers[key].weight)})
    assert not torch.equal(silent(x), before)
    assert not torch.equal(copy.deepcopy(silent)(x), before)
    assert torch.equal(speech.module(x), before)


def test_four_fifths_of_all_weights_become_zero(speech: Original) -> None:
    module = compress(speech, (Prune(sparsity=0.8),)).module
    wide = [weight for weight in module.parameters() if weight.dim() > 1]
    zeros = sum(int((weight == 0).sum()) for weight in wide)
    assert zeros / sum(weight.numel() for weight in wide) == pytest.approx(0.8, abs=0.005)


def test_a_lazy_layer_that_has_not_run_yet_is_refused() -> None:
    lazy = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ValueError, match=r"0\.weight has no shape yet; run the model once"):
        walk_layers(lazy)
