"""Random inputs: several seeds, tokens that the embeddings have, and no NaN."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from compress_core.probing import SEEDS, draw_probes
from tests.networks import Net

TOKENS = torch.zeros(1, 40, dtype=torch.int64)


def test_floats_are_noise_of_several_seeds() -> None:
    probes = draw_probes(nn.Identity(), (torch.zeros(1, 3, 5),))
    assert [probe[0].shape for probe in probes] == [(2, 3, 5)] * len(SEEDS)
    assert not torch.equal(probes[0][0], probes[1][0])
    assert (probes[0][0] < 0).any()
    assert (probes[2][0] >= 0).all()


def test_the_same_probes_are_drawn_each_time_and_from_no_global_generator() -> None:
    before = torch.get_rng_state()
    first, again = (draw_probes(nn.Identity(), (torch.zeros(1, 3),)) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


LOOKUPS: dict[str, nn.Module] = {
    "embedding": Net(lambda n, x: n.e(x), e=nn.Embedding(50, 2)),
    "two tables": Net(lambda n, x: n.e(x) + n.f(x), e=nn.Embedding(70, 2), f=nn.Embedding(50, 2)),
    "positions and types of their own": Net(
        lambda n, x: n.e(x) + n.p(torch.arange(40)) + n.t(torch.zeros_like(x)),
        e=nn.Embedding(50, 2),
        p=nn.Embedding(40, 2),
        t=nn.Embedding(2, 2),
    ),
    "a bag": Net(lambda n, x: n.e(x), e=nn.EmbeddingBag(50, 2)),
    "an indexed weight": Net(lambda n, x: n.e.weight[x], e=nn.Embedding(50, 2)),
    "one-hot": Net(lambda n, x: n.e(nn.functional.one_hot(x, 50).float()), e=nn.Linear(50, 2)),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_tokens_lie_within_the_smallest_table_that_they_reach(name: str) -> None:
    drawn = torch.cat([probe[0] for probe in draw_probes(LOOKUPS[name], (TOKENS,))])
    assert 40 < drawn.max() < 50
    assert drawn.min() >= 0
    assert len(drawn.unique()) > 30


def test_floats_that_the_network_takes_for_tokens_are_whole() -> None:
    network = Net(lambda n, x: n.e(x.long()), e=nn.Embedding(9, 2))
    (drawn,) = draw_probes(network, (torch.zeros(1, 20),))[0]
    assert torch.equal(drawn, drawn.round())
    assert 5 < drawn.max() < 9


def test_a_table_of_one_row_is_asked_for_it() -> None:
    network = Net(lambda n, x: n.e(x), e=nn.Embedding(1, 2))
    assert not draw_probes(network, (TOKENS,))[0][0].any()


def test_several_inputs_are_drawn_each_in_its_own_type() -> None:
    network = Net(lambda n, x, m, y: (n.e(x) * m[..., None]).sum() + y.sum(), e=nn.Embedding(9, 2))
    examples = (TOKENS, torch.zeros(1, 40, dtype=torch.bool), torch.zeros(1, 3).double())
    assert [x.dtype for x in draw_probes(network, examples)[0]] == [e.dtype for e in examples]


def test_noise_on_which_the_network_answers_nan_is_left_out() -> None:
    probes = draw_probes(Net(lambda _n, x: x.log()), (torch.zeros(1, 9),))
    assert len(probes) == 1
    assert (probes[0][0] > 0).all()


def test_a_network_for_one_input_at_a_time_gets_one() -> None:
    probes = draw_probes(Net(lambda _n, x: x.view(3)), (torch.zeros(1, 3),))
    assert probes[0][0].shape == (1, 3)


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda _n, x: x.view(7), r"does not run on random inputs \(shape"),
        (lambda _n, x: x / 0 * 0, "answers NaN on random inputs"),
    ],
)
def test_a_network_without_an_answer_is_refused(forward: Callable[..., Tensor], words: str) -> None:
    with pytest.raises(ValueError, match=f"this Net {words}.*leave it out"):
        draw_probes(Net(forward), (torch.zeros(1, 3),))
