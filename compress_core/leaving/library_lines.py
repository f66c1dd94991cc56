"""The same in torch.nn.utils.prune, torchao, torch.linalg and scikit-learn, where they have it.

Lines of torch and scikit-learn are executed in our tests, and compared with what we do. Those of
torchao are not: it is not among what this project installs. They follow its documentation of
early 2026 (`quantize_` and the configurations of `torchao.quantization`).
"""

from dataclasses import dataclass

from compress_core.leaving.script import in_python
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, PruneNM, RandomPrune
from compress_core.methods.quantization import Quantize, QuantizeActivations, QuantizeFloat
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import Recipe, format_step
from compress_core.steps import TRAINING, AnyStep
from compress_core.wording.library import library_note

PRUNE = "torch.nn.utils.prune"
TORCHAO = "torchao"
HALVES = {"fp16": "half", "bf16": "bfloat16"}


@dataclass(frozen=True)
class LibraryLine:
    """What does the same as a step, or nearly: `code` acts on a module called `network` in place.

    `library` and `code` are "" where nothing exists; `note` says what differs, or why there is
    nothing.
    """

    step: str
    library: str
    code: str
    note: str


def library_lines(recipe: Recipe) -> tuple[LibraryLine, ...]:
    """A row for each step of the recipe, in its order."""
    return tuple(_line(step) for step in recipe)


def _line(step: AnyStep) -> LibraryLine:
    library, code, note = _said(step)
    return LibraryLine(format_step(step), library, code, library_note(note))


Said = tuple[str, str, str]  # library, code, kind of note
NOTHING: Said = ("", "", "nothing")


def _said(step: AnyStep) -> Said:  # noqa: C901  # one case a type
    match step:
        case Prune():
            return _magnitude(step)
        case RandomPrune():
            line = f'prune.random_unstructured(part, "weight", amount={step.sparsity})'
            return PRUNE, _each(step, line), "random"
        case PruneNM():
            return PRUNE, _each(step, *_n_of_m(step)), "n_of_m"
        case PruneStructured():
            return _channels(step)
        case Quantize():
            return _affine(step)
        case QuantizeFloat():
            return _floats(step)
        case QuantizeActivations(mode="dynamic", bits=8):
            return TORCHAO, _torchao(step, "Int8DynamicActivationInt8WeightConfig()"), "dynamic"
        case Factorize():
            return _low_rank(step)
        case ShareWeights(scope="layer"):
            return _k_means(step)
        case FoldBatchNorm():
            code = (
                "from torch.nn.utils.fusion import fuse_conv_bn_eval\n\n"
                "network.conv1 = fuse_conv_bn_eval(network.conv1, network.bn1)\n"
                "network.bn1 = torch.nn.Identity()"
            )
            return "torch.nn.utils.fusion", f"import torch\n{code}", "fold"
        case _ if step.kind == TRAINING:
            return "", "", "training"
        case _:
            return NOTHING


def _magnitude(step: Prune) -> Said:
    if step.sparsity is None:
        limit = step.threshold if step.sigmas is None else None
        shown = (
            f"{limit}" if limit is not None else f"{step.sigmas} * part.weight.std(correction=0)"
        )
        mask = f"mask = part.weight.abs() > {shown}"
        return PRUNE, _each(step, mask, 'prune.custom_from_mask(part, "weight", mask)'), "ties"
    if step.scope == "layer":
        line = f'prune.l1_unstructured(part, "weight", amount={step.sparsity})'
        return PRUNE, _each(step, line), "ties"
    code = (
        f"{_parts(step)}\n"
        'weights = [(part, "weight") for part in parts]\n'
        "prune.global_unstructured(\n"
        f"    weights, pruning_method=prune.L1Unstructured, amount={step.sparsity}\n"
        ")\n"
        "for part in parts:\n"
        '    prune.remove(part, "weight")'
    )
    return PRUNE, code, "ties"


def _n_of_m(step: PruneNM) -> list[str]:
    return [
        f"groups = part.weight.detach().flatten(1).abs().unflatten(1, (-1, {step.m}))",
        f"kept = groups.topk({step.n}, dim=-1).indices",
        "mask = torch.zeros_like(groups).scatter_(-1, kept, 1).view_as(part.weight)",
        'prune.custom_from_mask(part, "weight", mask)',
    ]


def _channels(step: PruneStructured) -> Said:
    ratio, norms = step.pruning_ratio, {"l1": 1, "l2": 2}
    if step.importance == "random":
        line = f'prune.random_structured(part, "weight", amount={ratio}, dim=0)'
    elif step.importance in norms and step.scope == "layer":
        norm = norms[step.importance]
        line = f'prune.ln_structured(part, "weight", amount={ratio}, n={norm}, dim=0)'
    else:
        return NOTHING
    return PRUNE, _each(step, line), "channels"


def _affine(step: Quantize) -> Said:
    if step.bits > 8:
        return NOTHING
    is_plain = step.bits == 8 and step.scheme == "symmetric"
    note = "affine" if step.clipping == "min_max" else "no_clipping"
    if is_plain and step.granularity == "channel":
        return TORCHAO, _torchao(step, "Int8WeightOnlyConfig()"), note
    if step.granularity == "tensor":
        if not is_plain:
            return NOTHING
        config = "Int8WeightOnlyConfig(granularity=PerTensor(), version=2)"
        return TORCHAO, _torchao(step, config, "granularity.PerTensor"), note
    grouped = step.granularity == "group"
    granularity = f"PerGroup({step.group_size})" if grouped else "PerAxis(0)"
    fields = [f"weight_dtype=torch.int{step.bits}", f"granularity={granularity}"]
    names = [f"granularity.{granularity.partition('(')[0]}"]
    if step.scheme == "asymmetric":
        fields.append("mapping_type=MappingType.ASYMMETRIC")
        names.append("quant_primitives.MappingType")
    return TORCHAO, _torchao(step, f"IntxWeightOnlyConfig({', '.join(fields)})", *names), note


def _floats(step: QuantizeFloat) -> Said:
    if step.format in HALVES:
        line = f"part.weight.data = part.weight.data.{HALVES[step.format]}().float()"
        return "torch", _each(step, line, imports="", remove=False), "half"
    if step.format.startswith("fp8") and step.granularity == "channel":
        dtype = "torch.float8_e4m3fn" if step.format == "fp8_e4m3" else "torch.float8_e5m2"
        return TORCHAO, _torchao(step, f"Float8WeightOnlyConfig(weight_dtype={dtype})"), "fp8"
    return NOTHING


def _low_rank(step: Factorize) -> Said:
    if step.form != "channel" or step.whiten:
        return "", "", "tucker" if step.form != "channel" else "nothing"
    if step.budget is not None:
        return "", "", "no_budget"
    rank = str(step.rank)
    if step.energy is not None:
        rank = f"1 + int((S.square().cumsum(0) < {step.energy} * S.square().sum()).sum())"
    elif step.rank is None:
        rank = "max(1, part.weight.numel() // sum(part.weight.shape))"
    lines = [
        "U, S, Vh = torch.linalg.svd(part.weight.data, full_matrices=False)",
        f"rank = {rank}",
        "first = torch.nn.Linear(part.in_features, rank, bias=False)",
        "second = torch.nn.Linear(rank, part.out_features, bias=part.bias is not None)",
        "first.weight.data = S[:rank].sqrt()[:, None] * Vh[:rank]",
        "second.weight.data = U[:, :rank] * S[:rank].sqrt()",
        "second.bias = part.bias",
        "network.set_submodule(name, torch.nn.Sequential(first, second))",
    ]
    code = _each(step, *lines, imports="", remove=False, kinds="torch.nn.Linear")
    return "torch.linalg", code, "low_rank"


def _k_means(step: ShareWeights) -> Said:
    chosen, clusters = "torch.ones_like(weight, dtype=torch.bool)", f"{step.clusters}"
    if step.keep_zeros:
        chosen = "weight != 0  # zeros stay, as an entry of their own"
        clusters = f"{step.clusters} - int((weight == 0).any())"
    lines = [
        "weight = part.weight.data",
        f"chosen = {chosen}",
        "values = weight[chosen].reshape(-1, 1).numpy()",
        f"found = KMeans({clusters}, n_init=10, random_state={step.seed}).fit(values)",
        "codebook = torch.from_numpy(found.cluster_centers_).view(-1).to(weight)",
        "weight[chosen] = codebook[torch.from_numpy(found.labels_).long()]",
    ]
    imports = "from sklearn.cluster import KMeans\n"
    return "scikit-learn", _each(step, *lines, imports=imports, remove=False), "k_means"


IMPORT_PRUNE = "from torch.nn.utils import prune\n"
KINDS = "torch.nn.Linear | torch.nn.Conv2d"


def _chosen(step: AnyStep) -> str:
    """A condition on the name of a layer; "" for every layer."""
    if step.layers == ("*",):
        return ""
    return f" and any(fnmatchcase(name, pattern) for pattern in {in_python(step.layers)})"


def _head(step: AnyStep, imports: str) -> str:
    return (
        "from fnmatch import fnmatchcase\n\n" * bool(_chosen(step))
    ) + f"import torch\n{imports}\n"


def _parts(step: AnyStep) -> str:
    return _head(step, IMPORT_PRUNE) + (
        "parts = [\n"
        "    part\n"
        "    for name, part in network.named_modules()\n"
        f"    if isinstance(part, {KINDS}){_chosen(step)}\n"
        "]"
    )


def _each(
    step: AnyStep, *lines: str, imports: str = IMPORT_PRUNE, remove: bool = True, kinds: str = KINDS
) -> str:
    """The lines for each layer that the step names; its pruned weight becomes a plain one again."""
    last = ['prune.remove(part, "weight")'] if remove else []
    body = "\n".join(f"        {line}" for line in (*lines, *last))
    return (
        f"{_head(step, imports)}for name, part in list(network.named_modules()):\n"
        f"    if isinstance(part, {kinds}){_chosen(step)}:\n{body}"
    )


def _torchao(step: AnyStep, config: str, *more: str) -> str:
    """`quantize_` with this configuration; `more` are further names, module.name each."""
    names = [config.partition("(")[0], "quantize_"]
    imports = [f"from torchao.quantization import {', '.join(names)}"]
    for place in more:
        module, _, name = place.partition(".")
        imports.append(f"from torchao.quantization.{module} import {name}")
    if not _chosen(step):
        head = "import torch\n" if "torch." in config else ""
        return head + "\n".join(imports) + f"\n\nquantize_(network, {config})"
    condition = f"isinstance(part, torch.nn.Linear){_chosen(step)}"
    return (
        _head(step, "\n".join(imports) + "\n\n")
        + f"def is_chosen(part, name):\n    return {condition}\n\n\n"
        + f"quantize_(network, {config}, filter_fn=is_chosen)"
    )
