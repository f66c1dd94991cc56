"""The files of a dataset: their names, what their content must be, and where they come from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """One file at `url`, checked by the md5 of its bytes.

    It is itself a file of the dataset, gzipped, or a gzipped tar archive whose `members` are.
    """

    url: str
    md5: str
    members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def gives(self) -> tuple[str, ...]:
        """The files of the dataset that come of it."""
        return self.members or (self.name.removesuffix(".gz"),)


@dataclass(frozen=True)
class Files:
    """The files of the dataset `name`, in a folder of their own; each may lie there gzipped.

    `sha256` is that of a file's decompressed bytes, by file name without .gz.
    """

    name: str
    folder: str
    title: str
    sha256: dict[str, str]
    source: str
    downloads: tuple[Download, ...]
    download_bytes: int
    class_names: tuple[str, ...]
