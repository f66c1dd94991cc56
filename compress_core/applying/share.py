"""Share: a layer's weights, or its factors', become indices into a codebook."""

from dataclasses import replace

from compress_core.methods import weight_sharing
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.network import Names, Network
from compress_core.storage.streams import weight_of
from compress_core.stored import StoredLayer, StoredLayers


def share_layers(step: ShareWeights, names: Names, network: Network) -> Network:
    if step.scope == "all":
        return _share_by_all(step, names, network)
    done = replace(step, layers=ALL_LAYERS)

    def make(stored: StoredLayer) -> StoredLayer:
        codes = (weight_sharing.share(weight.values, step) for weight in stored.weights)
        return stored.with_weights(done, tuple(weight_of(shared) for shared in codes))

    return network.with_each(names, done, make)


def refuse_sharing(_step: ShareWeights, name: str, network: Network) -> str | None:
    if network.layers[name].weights[0].codes is None:
        return None
    return (
        "is quantized, and a weight is stored either as codes of its own or as indices of a "
        "codebook: leave it out of one of the two steps"
    )


def _share_by_all(step: ShareWeights, names: Names, network: Network) -> Network:
    layers = {name: network.layers[name] for name in names}

    def make() -> StoredLayers:
        values = [weight.values for stored in layers.values() for weight in stored.weights]
        codes = iter(weight_sharing.share_across(values, step))
        return {
            name: stored.with_weights(done, tuple(weight_of(next(codes)) for _ in stored.weights))
            for name, stored in layers.items()
        }

    # a codebook is made of all these layers, and is another one when one of them changes
    done = (replace(step, layers=ALL_LAYERS), tuple(stored.key for stored in layers.values()))
    return network.with_layers(network.base.memo.get(("share", done), make))
