"""Models by name, wherever they come from: reference networks, the one that the server was started
with, and those that were opened here.

Jobs, caches and the command line know a model by its name alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from compress_core.data import load_dataset
from compress_core.dataset import DataError, Dataset
from compress_core.digest import tensors_digest
from compress_core.inputs import each
from compress_core.models.catalog import MODELS, model_spec
from compress_core.models.checkpoints import load_card
from compress_core.opening.facts import DATA, Facts, read_facts
from compress_core.opening.opened import Opened, digest_of
from compress_core.opening.rooms import InSandbox
from compress_core.opening.store import find_folder, is_opened_name, public_name
from compress_core.original import Original, load_model
from compress_core.own_data import read_dataset
from compress_core.trusted import TrustedModel, trusted_model


@dataclass(frozen=True)
class Source:
    """Where a named model comes from; each function opens what it gives only when called.

    `content_key` is equal where network and data are equal: results are kept under it. `told` are
    sentences about its data. `is_reference`: curves, presets and a card ship with it.
    """

    name: str
    description: str
    original: Callable[[], Original]
    test_data: Callable[[], Dataset]
    content_key: Callable[[], str]
    told: Callable[[], tuple[str, ...]] = tuple
    is_reference: bool = False


def find_source(name: str) -> Source:
    """The model called `name`. Raises ValueError where there is none."""
    own = trusted_model()
    if is_opened_name(name):
        return _opened(name)
    if own is not None and name == own.name:
        return _own(own)
    if name not in MODELS and own is not None:
        raise ValueError(f"unknown model {name!r}; choose one of {', '.join(model_names())}")
    return _reference(name)


def model_names() -> tuple[str, ...]:
    """The names of the models that are there for everybody, the own one first."""
    own = trusted_model()
    return (*([] if own is None else [own.name]), *MODELS)


def check_name(name: str) -> None:
    """Raise ValueError for a name that no model has; nothing is opened."""
    find_source(name)


def is_known(name: str) -> bool:
    """Whether there is a model of this name; whether it can be opened is not looked at."""
    return find_folder(name) is not None if is_opened_name(name) else name in model_names()


def describe(name: str) -> str:
    """What a model is, in a sentence."""
    return find_source(name).description


def find_original(name: str) -> Original:
    """The network called `name`, with what it calibrates on. Raises ValueError for another name,
    and for a model that cannot be opened."""
    return find_source(name).original()


def find_test_data(name: str) -> Dataset:
    """What the model called `name` is measured on: without data, generated inputs."""
    return find_source(name).test_data()


def content_key(name: str) -> str:
    """What tells the model's network and data from others of the same name."""
    return find_source(name).content_key()


def opened_facts(name: str) -> tuple[Path, Facts]:
    """The folder of an opened network, and what is known of it. Raises ValueError where there is
    none (any more)."""
    folder = find_folder(name)
    if folder is None:
        raise DataError(
            f"{public_name(name)} is not open here any more; what nobody uses for a day is "
            "deleted: open its file again"
        )
    return folder, _facts(folder)


@lru_cache(maxsize=64)
def _facts(folder: Path) -> Facts:
    """Folders never change."""
    return read_facts(folder)


def _opened(name: str) -> Source:
    folder, facts = opened_facts(name)
    return Source(
        name,
        f"{facts.title}, opened here. It stays for a day after its last use; whoever has the link "
        "sees it.",
        lambda: Opened(folder, facts, public_name(name), InSandbox(folder, facts)),
        partial(_data_of, folder, facts),
        lambda: digest_of(folder, facts),
        lambda: tuple(facts.data),
    )


def _data_of(folder: Path, facts: Facts) -> Dataset:
    if not facts.metric:
        raise DataError(f"{facts.title} is not measured: {facts.why_not_run}")
    return read_dataset(folder / DATA)


def _reference(name: str) -> Source:
    spec = model_spec(name)
    return Source(
        name,
        spec.description,
        partial(load_model, name),
        partial(load_dataset, spec.dataset),
        lambda: load_card(name).sha256,
        is_reference=True,
    )


def _own(own: TrustedModel) -> Source:
    return Source(
        own.name,
        f"Your own model, {own.model}.",
        own.original,
        own.measured_on,
        partial(_digest, own),
        own.told,
    )


def _digest(own: TrustedModel) -> str:
    """Of the network, and of the rows that it is measured and calibrated on."""
    original, data = own.original(), own.measured_on()
    rows = [*each(data.inputs), *([] if data.labels is None else [data.labels])]
    trained_on = "" if original.calibration is None else original.data_key
    return "/".join((original.digest, tensors_digest(rows), trained_on))
