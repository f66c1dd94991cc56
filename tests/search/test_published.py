"""The published marks: the papers' numbers, as printed there."""

from typing import get_args

import pytest

from compress_core.models.catalog import MODELS
from compress_core.search.published import PUBLISHED, Unit, published

# bytes and error in percent, as the papers print them
PRINTED = {
    "mnist-lenet-300-100": [(27_000, 1.58), (8_560, 1.9)],
    "mnist-lenet-5": [(44_000, 0.74), (2_840, 1.0), (3_030, 0.69), (1_520, 0.96)],
}


@pytest.mark.parametrize("model", MODELS)
def test_only_the_two_lenets_have_published_points(model: str) -> None:
    found = [(p.stored_bytes, round(100 * p.error, 2)) for p in published(model)]
    assert found == PRINTED.get(model, [])


def test_every_point_has_its_unit_and_its_source() -> None:
    assert all(p.unit in get_args(Unit) for p in PUBLISHED)
    assert all(p.source.startswith("arXiv:1") for p in PUBLISHED)


def test_an_error_becomes_an_accuracy() -> None:
    assert published("mnist-lenet-5")[0].accuracy == pytest.approx(0.9926)
