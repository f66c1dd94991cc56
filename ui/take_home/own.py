"""How the present model is named at home, where it is none of ours."""

from compress_core.leaving.script import OwnModel
from compress_core.opening.facts import Facts
from compress_core.opening.opened import Opened
from compress_core.trusted import TrustedModel, trusted_model
from ui.session.state import Current


def own_model(current: Current) -> OwnModel | None:
    """What --model and its options say at home; None for a reference network."""
    trusted = trusted_model()
    if isinstance(current.original, Opened):
        return _opened(current.original.facts)
    if trusted is not None and current.model == trusted.name:
        return _trusted(trusted)
    return None


def _trusted(own: TrustedModel) -> OwnModel:
    weights = str(own.weights) if own.weights else None
    pixels = own.normalization
    return OwnModel(own.model, weights, own.data, own.input_shape, own.task, pixels, own.output)


def _opened(facts: Facts) -> OwnModel:
    return OwnModel(
        facts.architecture or facts.title,
        facts.title if facts.architecture else None,
        data=facts.data_title or None,
        normalization=facts.normalization
        and facts.normalization.rpartition(" ")[2],  # a number alone
        output=None if facts.output is None else str(facts.output),
    )
