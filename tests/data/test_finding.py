"""Files are found where they may lie, and wrong ones are refused by name."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from compress_core.data import FILES, DataError, is_available, load_dataset
from compress_core.data.finding import find, read_content
from compress_core.data.idx import TEST_LABELS
from tests.data.official import write_idx


def test_a_truncated_file_is_refused_by_name(tmp_path: Path) -> None:
    digest = write_idx(tmp_path / "x.gz", np.arange(1000) % 251)
    (tmp_path / "x.gz").write_bytes((tmp_path / "x.gz").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"x\.gz is damaged or truncated .*place the file anew"):
        read_content(tmp_path / "x.gz", digest)


def test_a_file_that_is_not_gzipped_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"x\.gz is damaged or truncated"):
        read_content(tmp_path / "x.gz", "0" * 64)


def test_another_file_is_refused_by_its_checksum(tmp_path: Path) -> None:
    digest = write_idx(tmp_path / "x.gz", np.zeros(5))
    with pytest.raises(DataError, match=rf"not the official file: .*{digest[:12]}.*expected 0000"):
        read_content(tmp_path / "x.gz", "0" * 64)


def test_a_missing_dataset_says_what_from_where_how_big_and_where_to(no_files: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("mnist")
    expected = (
        "MNIST: t10k-images-idx3-ubyte is not on this machine",
        "12 MB, from https://ossci-datasets.s3.amazonaws.com/mnist/",
        "python -m compress_core data mnist",
        "$COMPRESS_DATA_DIR/mnist",
        str(no_files.parent / "cache" / "mnist"),
    )
    assert [part for part in expected if part not in str(caught.value)] == []


@pytest.mark.parametrize("name", FILES)
def test_a_missing_dataset_is_found_once_it_is_placed(no_files: Path, name: str) -> None:
    files = FILES[name]
    assert not is_available(name)
    (no_files / files.folder).mkdir(parents=True)
    for file in files.sha256:
        (no_files / files.folder / f"{file}.gz").touch()
    assert is_available(name)


def test_a_file_may_lie_there_gzipped_or_not_and_the_chosen_folder_comes_first(
    no_files: Path,
) -> None:
    mnist, cache = FILES["mnist"], no_files.parent / "cache" / "mnist"
    places = [cache / f"{TEST_LABELS}.gz", cache / TEST_LABELS]
    places += [no_files / "mnist" / f"{TEST_LABELS}.gz", no_files / "mnist" / TEST_LABELS]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        assert find(mnist, TEST_LABELS) == place


def test_a_file_is_read_alike_gzipped_or_not(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"content")
    (tmp_path / "x.bin.gz").write_bytes(gzip.compress(b"content"))
    digest = hashlib.sha256(b"content").hexdigest()
    assert read_content(tmp_path / "x.bin", digest) == b"content"
    assert read_content(tmp_path / "x.bin.gz", digest) == b"content"


def test_digits_are_always_there_and_unknown_sets_never() -> None:
    assert is_available("digits")
    assert not is_available("cifar")
