"""compress(): a model and a recipe make a Compressed, runnable and as stored.

A step that trains ends a stage, and the next stage goes on from its result. Inside a stage the last
of several steps of one kind that name a layer wins, and kinds act in the order of KINDS. A step
skips a layer that cannot take it, and the layer is listed with the reason. Each layer has a key
that says all that was done to it. The memo of its base keeps results by this key, so a moved
slider recompresses only the layers that it changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from torch import Tensor, nn

from compress_core.entering.copying import copy_network
from compress_core.entering.tensors import in_own_type, named_tensors
from compress_core.methods.step import matching
from compress_core.network import Names, Network, start
from compress_core.original import Original
from compress_core.recipe import Recipe, format_recipe, of_kinds, split_stages, stage_of, to_json
from compress_core.steps import BY_TYPE, KINDS, TRAINING, AnyStep, row_of
from compress_core.storage.container import File, encode_compact, encode_readable
from compress_core.storage.streams import StoredWeight
from compress_core.stored import StoredLayers
from compress_core.trained import load_trained


@dataclass(frozen=True)
class Skipped:
    """A layer that a step's patterns name, but that cannot take the step, and why."""

    step: AnyStep
    layer: str
    reason: str


@dataclass(frozen=True, eq=False)
class Act:
    """A step as it acts: on the layers called `names`, of the network `before` it, in the
    `stage`-th stage of the recipe, counted from 0."""

    step: AnyStep
    stage: int
    names: Names
    before: Network
    after: Network


@dataclass(frozen=True, eq=False)
class Compressed:
    """A compressed model: `layers` as stored, `module` to run, `container` the file's bytes.

    `original` is what it is measured against, `acts` the steps in the order in which they acted,
    `skipped` the layers that they left out. The module's weights are bit for bit those that the
    container decodes to.
    """

    original: Original
    recipe: Recipe
    acts: tuple[Act, ...]
    skipped: tuple[Skipped, ...]

    @cached_property
    def network(self) -> Network:
        """What the last step left."""
        return self.acts[-1].after if self.acts else start(self.original)

    def winners(self, kind: str) -> dict[str, AnyStep]:
        """The step of `kind` that acts on each layer; layers without one are left out."""
        return {name: act.step for act in self.acts if act.step.kind == kind for name in act.names}

    def act_of(self, index: int) -> Act | None:
        """How the `index`-th step of the recipe acts; None where other steps of its stage win all
        of its layers, or an equal one comes later."""
        step, stage = self.recipe[index], stage_of(self.recipe, index)
        rest = split_stages(self.recipe[index + 1 :])[0]
        found = (act for act in self.acts if act.stage == stage and act.step == step)
        return None if step in rest and step.kind != TRAINING else next(found, None)

    @property
    def base(self) -> Original:
        """The network whose layers are stored: another one where a step changed its structure."""
        return self.network.base

    @property
    def layers(self) -> StoredLayers:
        """Every layer as it is stored, by name."""
        return self.network.layers

    @cached_property
    def module(self) -> nn.Module:
        """The runnable model, in evaluation mode. It shares nothing: running it, or writing to it,
        changes neither what is stored nor any other model."""
        return copy_network(self.as_stored)

    @property
    def as_stored(self) -> nn.Module:
        """The same model, never run, so that its buffers are those of the file."""
        return self.network.module

    @cached_property
    def rest(self) -> dict[str, Tensor]:
        """The tensors beside the layers' weights (biases, norms, buffers), by state-dict key, in
        the half precision that they came in where that holds them exactly."""
        layers = self.layers.values()
        skipped = {key for stored in layers for key in stored.weight_keys}
        skipped |= {twin for twins in self.tied.values() for twin in twins}
        own_types = self.base.own_types
        # cloned: buffers may be views of each other, and a file holds no shared memory
        return {
            key: in_own_type(tensor.detach().clone(), own_types.get(key))
            for key, tensor in named_tensors(self.as_stored).items()
            if key not in skipped
        }

    @cached_property
    def tied(self) -> dict[str, tuple[str, ...]]:
        """The further state-dict keys of tensors that have several, by the first of them; by the
        layer's key for a layer's weight, under which it is stored."""
        keys: dict[int, list[str]] = {}
        for key, tensor in named_tensors(self.as_stored).items():
            keys.setdefault(id(tensor), []).append(key)
        weights = {key for stored in self.layers.values() for key in stored.weight_keys}
        groups = (sorted(group, key=lambda key: key not in weights) for group in keys.values())
        return {first: tuple(twins) for first, *twins in groups if twins}

    @cached_property
    def file(self) -> File:
        """The stored form, compact, and the bytes of each tensor in it."""
        return encode_compact(
            self.weights,
            self.plain_rest,
            tied=self.tied,
            model=self.original.name,
            recipe=format_recipe(self.recipe),
            inputs=self._input_bits,
        )

    @property
    def container(self) -> bytes:
        """The exact bytes of the file that holds this model, in the compact form."""
        return self.file.raw

    @cached_property
    def readable(self) -> File:
        """The same content as a safetensors file, which is larger: the readable form."""
        return encode_readable(
            self.weights,
            self.plain_rest,
            tied=self.tied,
            model=self.original.name,
            recipe=to_json(self.recipe),
            inputs=self._input_bits,
        )

    @property
    def weights(self) -> dict[str, StoredWeight]:
        """The weights of all layers, and what else is stored as codes, by state-dict key."""
        weights: dict[str, StoredWeight] = {}
        for stored in self.layers.values():
            weights |= dict(zip(stored.weight_keys, stored.weights, strict=True))
        return weights | dict(self.network.coded)

    @property
    def plain_rest(self) -> dict[str, Tensor]:
        """The tensors of `rest` that are stored as they are."""
        return {key: t for key, t in self.rest.items() if key not in self.network.coded}

    @property
    def _input_bits(self) -> dict[str, int]:
        """The bits that inputs are rounded to, by the name of the layer's module."""
        return {
            stored.layer.key.rpartition(".")[0]: stored.inputs.bits
            for stored in self.layers.values()
            if stored.inputs
        }

    @property
    def stored_bytes(self) -> int:
        """Size of the file, header included."""
        return len(self.container)


def compress(original: Original, recipe: Recipe) -> Compressed:
    """Apply a recipe to a model; the model is untouched.

    Raises ValueError where a step does not fit the model (value, rule and remedy in the text): a
    layer that it names by its own name cannot take it, or none of its layers can. Raises NotTrained
    for a step that trains and has no result yet: nothing is trained here (see `train_steps`).
    """
    if not isinstance(original, Original):
        raise ValueError(
            f"a {type(original).__name__} is no Original; pass Original(network, input_shape=…) or "
            "load_model(name)"
        )
    recipe = _as_recipe(recipe)
    network = start(original)
    done: Recipe = ()
    acts: list[Act] = []
    skipped: list[Skipped] = []
    for number, stage in enumerate(split_stages(recipe)):
        done = (*done, *stage)
        trained = partial(load_trained, original, done)
        found, left_out = run_stage(network, stage, trained, number=number)
        acts, skipped = [*acts, *found], [*skipped, *left_out]
        network = acts[-1].after if acts else network
    return Compressed(original, recipe, tuple(acts), tuple(skipped))


def _as_recipe(recipe: object) -> Recipe:
    """A tuple or list of steps as a recipe; everything else is refused."""
    steps = tuple(recipe) if isinstance(recipe, tuple | list) else (None,)
    if all(type(step) in BY_TYPE for step in steps):
        return steps
    raise ValueError(
        f"{recipe!r} is no recipe, which is a tuple of steps: (Prune(sparsity=0.5),), whose comma "
        "makes one step a tuple, or (parse_step('prune:sparsity=0.5'),)"
    )


def run_stage(
    network: Network,
    recipe: Recipe,
    trained: Callable[[Network], Network],
    *,
    number: int = 0,
) -> tuple[list[Act], list[Skipped]]:
    """The steps of the `number`-th stage, kind after kind, on what the stages before have left.

    `trained` is what the step that ends the stage makes of the network. Raises as `compress` does.
    """
    acts: list[Act] = []
    skipped: list[Skipped] = []
    for kind in KINDS:
        winners, left_out = _choose(of_kinds(recipe, (kind,)), network)
        skipped += left_out
        for step in dict.fromkeys(winners.values()):
            names = tuple(name for name, winner in winners.items() if winner == step)
            apply = row_of(step).apply
            after = trained(network) if apply is None else apply(step, names, network)
            acts.append(Act(step, number, names, network, after))
            network = after
    return acts, skipped


def _choose(steps: Recipe, network: Network) -> tuple[dict[str, AnyStep], list[Skipped]]:
    """For each layer, the last step of one kind that names it and that it can take.

    Raises ValueError for a pattern that matches no layer, for a layer named by its own name that
    cannot take the step, and for a step that no layer can take.
    """
    named = [matching(step.layers, network.layers) for step in steps]
    winners: dict[str, AnyStep] = {}
    skipped: list[Skipped] = []
    for name in network.layers:
        for step, names in reversed(list(zip(steps, named, strict=True))):
            if name in names:
                reason = row_of(step).refusal(step, name, network)
                if reason is None:
                    winners[name] = step
                    break
                skipped.append(Skipped(step, name, reason))
    _check_skipped(winners, skipped)
    return winners, skipped


def _check_skipped(winners: Mapping[str, AnyStep], skipped: list[Skipped]) -> None:
    acting = set(winners.values())
    for left_out in skipped:
        step, name = left_out.step, left_out.layer
        if name in step.layers:
            raise ValueError(f"{name} {left_out.reason}; or name other layers (layers=…)")
        if step not in acting:
            raise ValueError(f"{row_of(step).name}: no layer can take it; {_told(step, skipped)}")


def _told(step: AnyStep, skipped: list[Skipped]) -> str:
    """Why the layers cannot take a step: the first of them, and the first with another reason."""
    own = [out for out in skipped if out.step == step]
    others = [out for out in own if out.reason != own[0].reason]
    told = [own[0], *others[:1]]
    more = [f"{len(own) - len(told)} more"] if len(own) > len(told) else []
    return "; ".join([*(f"{out.layer} {out.reason}" for out in told), *more])
