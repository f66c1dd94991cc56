"""Bytes changed at random: each file is read, or refused with a sentence, and nothing else."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from compress_core.dataset import DataError, Dataset
from compress_core.own_data import read_data, read_dataset, write_dataset

IMAGES = (torch.zeros(1, 1, 8, 8),)
Changes = list[tuple[float, int]]


def good_files(folder: Path) -> dict[str, bytes]:
    """A small file of each kind."""
    np.savez(folder / "a.npz", x=np.zeros((6, 8, 8), np.uint8), y=np.arange(6))
    np.save(folder / "a.npy", np.ones((6, 64), np.float32))
    rows = (";".join(str(i * j % 17) for i in range(65)) for j in range(8))
    (folder / "a.csv").write_text("\n".join(rows))
    with zipfile.ZipFile(folder / "a.zip", "w") as file:
        for place, kind in enumerate(("PNG", "JPEG", "BMP", "GIF", "WEBP")):
            image = io.BytesIO()
            Image.new("L", (8, 8), 20 * place).save(image, kind)
            file.writestr(f"{place}/a.{kind.lower()}", image.getvalue())
    write_dataset(Dataset.of(torch.ones(4, 3), [0, 1, 0, 1]), folder / "a.safetensors")
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def changed(raw: bytes, changes: Changes) -> bytes:
    made = bytearray(raw)
    for place, value in changes:
        made[int(place * (len(made) - 1))] = value
    return bytes(made)


def refusal(path: Path) -> str | None:
    """The sentence with which the file is refused, None where it is read."""
    try:
        read_dataset(path) if path.suffix == ".safetensors" else read_data(path, IMAGES)
    except DataError as error:
        return str(error)
    return None


CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.parametrize("kind", [".npz", ".npy", ".csv", ".zip", ".safetensors"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, cut=st.floats(0.5, 1))
def test_changed_bytes_are_read_or_refused(
    tmp_path: Path, kind: str, changes: Changes, cut: float
) -> None:
    raw = good_files(tmp_path)[kind]
    path = tmp_path / f"b{kind}"
    path.write_bytes(changed(raw, changes)[: int(cut * len(raw)) + 1])
    sentence = refusal(path)
    path.unlink()
    assert sentence is None or "; " in sentence  # a remedy
