"""Networks and their test data by name: those that ship, and those that were opened here."""

from functools import lru_cache
from pathlib import Path

from compress_core.data import load_dataset
from compress_core.dataset import DataError, Dataset
from compress_core.models.catalog import MODELS, model_spec
from compress_core.models.checkpoints import load_card
from compress_core.opening.facts import DATA, Facts, read_facts
from compress_core.opening.opened import Opened
from compress_core.opening.rooms import InSandbox
from compress_core.opening.store import find_folder, is_opened_name, public_name
from compress_core.original import Original, load_model
from compress_core.own_data import read_dataset

KEPT = "It stays for a day after its last use; whoever has the link sees it."


def find_original(name: str) -> Original:
    """The network of this name. Raises ValueError where there is none (any more)."""
    if not is_opened_name(name):
        return load_model(name)
    folder, facts = opened_facts(name)
    return Opened(folder, facts, public_name(name), InSandbox(folder, facts))


def find_test_data(name: str) -> Dataset:
    """What the network of this name is judged on. Raises DataError where there are none."""
    if not is_opened_name(name):
        return load_dataset(model_spec(name).dataset)
    folder, facts = opened_facts(name)
    if not facts.metric:
        raise DataError(f"{facts.title} is not measured: {facts.why_not_run}")
    return read_dataset(folder / DATA)


def opened_facts(name: str) -> tuple[Path, Facts]:
    """The folder of an opened network, and what is known of it. Raises ValueError where there is
    none (any more)."""
    folder = find_folder(name)
    if folder is None:
        raise ValueError(
            f"{public_name(name)} is not open here any more; what nobody uses for a day is "
            "deleted: open its file again"
        )
    return folder, _facts(folder)


@lru_cache(maxsize=64)
def _facts(folder: Path) -> Facts:
    """Folders never change."""
    return read_facts(folder)


def is_known(name: str) -> bool:
    """Whether there is a network of this name."""
    return name in MODELS or find_folder(name) is not None


def check_name(name: str) -> None:
    """Raise ValueError where there is no network of this name."""
    if is_opened_name(name):
        opened_facts(name)
    else:
        model_spec(name)


def key_of(name: str) -> str:
    """What changes when the network of this name does."""
    return opened_facts(name)[1].digest if is_opened_name(name) else load_card(name).sha256


def model_names() -> list[str]:
    """The networks that are there for everybody."""
    return list(MODELS)


def describe(name: str) -> str:
    """A sentence on what it is."""
    if name in MODELS:
        return MODELS[name].description
    facts = opened_facts(name)[1]
    return f"{facts.title}, opened here. {KEPT}"
