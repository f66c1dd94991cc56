"""The rows that everything shows: one per layer, one per model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from compress_core.compressed import Compressed, Skipped, compress
from compress_core.dataset import Dataset
from compress_core.measurement.accuracy import Accuracy, PairedDifference
from compress_core.measurement.cost import add_up, layer_macs
from compress_core.measurement.scores import Score, judge
from compress_core.original import Original
from compress_core.recipe import format_recipe, format_step, to_json
from compress_core.storage.content import File
from compress_core.stored import Form, StoredLayer, StoredLayers
from compress_core.weights import Coverage, Layer


@dataclass(frozen=True)
class LayerRow:
    """One layer as stored. `bytes` are its streams in the file, `parameters` its stored weights
    (of all factors), `bits` nominal bits a weight, `input_bits` those of the layer's inputs
    (None: floats), `form` how the weights make the layer, `rank` the first of `ranks`, `encodings`
    one per stored weight. `sqnr_db` is None where nothing changed, and where `shape` is no longer
    the `original_shape`: weights that are not there have no noise."""

    name: str
    shape: tuple[int, ...]
    original_shape: tuple[int, ...]
    parameters: int
    sparsity: float
    bits: int
    input_bits: int | None
    form: Form
    rank: int | None
    ranks: tuple[int, ...]
    bytes: int
    original_bytes: int
    sqnr_db: float | None
    macs: int
    encodings: tuple[str, ...]


@dataclass(frozen=True)
class Size:
    """What a compressed model weighs and costs, without running it on data.

    sparsity is the fraction of zeros among the stored weights of the compressible layers, which
    are the part `coverage` of the original's parameters; the layers' bytes, `rest_bytes` (biases,
    norms) and `header_bytes` add up to `stored_bytes`.
    """

    model: str
    original_bytes: int
    stored_bytes: int
    compression_ratio: float
    sparsity: float
    coverage: Coverage
    macs: int
    original_macs: int
    rest_bytes: int
    header_bytes: int
    layers: tuple[LayerRow, ...]


@dataclass(frozen=True)
class Report:
    """Size, the score of the network's task, and its change against the original on the same data.

    `reason` says why it is judged by this metric; `skipped` are the layers that a step left out.
    """

    recipe: dict[str, Any]
    size: Size
    score: Score
    baseline: Score
    change: PairedDifference
    reason: str
    skipped: tuple[Skipped, ...] = ()

    @property
    def accuracy(self) -> Accuracy:
        """The accuracy of a classification. Raises AttributeError for other tasks: use `score`."""
        return self.score.as_accuracy()

    def as_dict(self) -> dict[str, Any]:
        """Flat, JSON-ready: the form of `--json`."""
        layers = [dict(vars(row)) for row in self.size.layers]
        return {
            "model": self.size.model,
            "recipe": self.recipe,
            **{key: value for key, value in vars(self.size).items() if key != "model"},
            "coverage": self.size.coverage.fraction,
            "unreached": dict(self.size.coverage.unreached),
            **self.score.as_dict(),
            "metric_reason": self.reason,
            f"baseline_{self.baseline.metric}": self.baseline.value,
            **{k: v for k, v in vars(self.change).items() if k != "n" and v is not None},
            "left_out": [
                {"step": format_step(out.step), "layer": out.layer, "reason": out.reason}
                for out in self.skipped
            ],
            "layers": layers,
        }


def measure_size(compressed: Compressed, file: File | None = None) -> Size:
    """Bytes, sparsity and MACs of a compressed model, stored in `file` (else the compact one)."""
    return size_of(
        compressed.original, compressed.layers, _macs(compressed), file or compressed.file
    )


def _macs(compressed: Compressed) -> Mapping[str, int]:
    """MACs of each layer; they do not depend on the values of the weights."""
    structure = tuple((stored.form, stored.ranks) for stored in compressed.layers.values())
    return compressed.base.memo.get(
        ("macs", structure), lambda: add_up(module_macs(compressed), compressed.original)
    )


def module_macs(compressed: Compressed) -> Mapping[str, int]:
    """`layer_macs` of a compressed model, counted where it may run."""
    original = compressed.original
    if original.elsewhere:
        return original.elsewhere.macs(format_recipe(compressed.recipe))
    return layer_macs(compressed.as_stored, original.examples)


def size_of(original: Original, layers: StoredLayers, macs: Mapping[str, int], file: File) -> Size:
    """`measure_size` from the parts of a compressed model: its layers as stored with the MACs of
    each, and its file."""
    sizes = layer_bytes(layers, file.parts)
    rows = tuple(
        replace(
            layer_row(stored, original.layers[name], macs[name]),
            bytes=sizes[name],
            original_bytes=original.weight_bytes(name),
        )
        for name, stored in layers.items()
    )
    stored_bytes, coded = len(file.raw), sum(sizes.values())
    rest = sum(file.parts.values()) - coded
    weights = sum(row.parameters for row in rows)
    return Size(
        model=original.name,
        original_bytes=original.stored_bytes,
        stored_bytes=stored_bytes,
        compression_ratio=original.stored_bytes / stored_bytes,
        sparsity=sum(row.sparsity * row.parameters for row in rows) / weights,
        coverage=original.coverage,
        macs=sum(macs.values()),
        original_macs=sum(_macs(compress(original, ())).values()),
        rest_bytes=rest,
        header_bytes=stored_bytes - rest - coded,
        layers=rows,
    )


def layer_bytes(layers: StoredLayers, parts: Mapping[str, int]) -> dict[str, int]:
    """Bytes of each layer out of those of a file's tensors, by key."""
    return {name: sum(parts[key] for key in stored.weight_keys) for name, stored in layers.items()}


def layer_row(stored: StoredLayer, before: Layer, macs: int) -> LayerRow:
    """The row of a layer that was `before` in the original model."""
    values = [weight.values for weight in stored.weights]
    parameters = sum(value.numel() for value in values)
    kept = sum(int(value.count_nonzero()) for value in values)
    return LayerRow(
        name=stored.layer.name,
        shape=stored.layer.shape,
        original_shape=before.shape,
        parameters=parameters,
        sparsity=1 - kept / parameters,
        bits=stored.bits,
        input_bits=stored.inputs.bits if stored.inputs else None,
        form=stored.form,
        rank=stored.rank,
        ranks=stored.ranks,
        bytes=sum(weight.streams.byte_count for weight in stored.weights),
        original_bytes=before.weight.nbytes,
        sqnr_db=stored.sqnr_db if stored.layer.shape == before.shape else None,
        macs=macs,
        encodings=tuple(weight.streams.header["encoding"] for weight in stored.weights),
    )


def measure(compressed: Compressed, data: Dataset, *, baseline: Tensor | None = None) -> Report:
    """Size, the score on all of `data`, and the paired change against the original.

    The metric is that of the original's task, or the one that fits outputs and labels. `baseline`
    are the original's answers to the same data (`Judge.answers`; of a classification the predicted
    classes), if they are at hand already.
    Raises ValueError where data, task and outputs do not fit, and for answers that are NaN.
    """
    if not isinstance(compressed, Compressed):
        raise ValueError(
            f"a {type(compressed).__name__} is not compressed; pass compress(original, recipe), "
            "with the recipe () for the network as it came"
        )
    if not isinstance(data, Dataset):
        raise ValueError(f"data is a {type(data).__name__}; pass Dataset.of(inputs, labels)")
    return report_of(
        compressed.as_stored,
        measure_size(compressed),
        compressed.original,
        data,
        recipe=to_json(compressed.recipe),
        skipped=compressed.skipped,
        baseline=baseline,
    )


def report_of(
    module: nn.Module,
    size: Size,
    original: Original,
    data: Dataset,
    *,
    recipe: dict[str, Any],
    skipped: tuple[Skipped, ...] = (),
    baseline: Tensor | None = None,
) -> Report:
    """What `module` answers to `data`, judged beside the original."""
    judged = judge(original, data)
    if baseline is None:
        baseline = judged.answers(original.pristine)
    answers = judged.answers(module)
    return Report(
        recipe=recipe,
        size=size,
        score=judged.score(answers, baseline),
        baseline=judged.score(baseline, baseline),
        change=judged.change(baseline, answers, baseline),
        reason=judged.reason,
        skipped=skipped,
    )
