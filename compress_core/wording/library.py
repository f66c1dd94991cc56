"""What the lines of other libraries do otherwise than we do, in words."""

from collections.abc import Mapping

from compress_core.wording.language import N_, _

NOTES: Mapping[str, str] = {
    "ties": N_(
        "The same weights of Linear and Conv2d layers become zero; of weights of equal magnitude, "
        "others may. It does not shrink the file: the zeros are stored."
    ),
    "random": N_(
        "As many weights of each layer become zero, but others: another random generator draws."
    ),
    "n_of_m": N_("The same weights become zero, where m divides the inputs of each layer."),
    "channels": N_(
        "It sets channels to zero where we remove them: shapes, file and time stay. It does not "
        "know which layers are coupled."
    ),
    "affine": N_(
        "Linear layers alone. Its symmetric codes begin at −2ᵏ⁻¹, ours at 1 − 2ᵏ⁻¹, so scales and "
        "weights differ a little."
    ),
    "no_clipping": N_(
        "Linear layers alone, and always from the smallest to the largest weight: it does not clip."
    ),
    "fp8": N_("Linear layers alone, a scale for each output channel."),
    "half": N_("The same weights; biases and norms stay as they are."),
    "dynamic": N_(
        "Linear layers alone, and their weights in 8 bits, too; it rounds the inputs of each token "
        "symmetrically."
    ),
    "low_rank": N_(
        "The same product but for rounding. It is for linear layers; a convolution is first seen "
        "as a matrix (out, in · kernel)."
    ),
    "k_means": N_(
        "scikit-learn improves random starts, our init=optimal finds the least error: entries may "
        "differ. It makes float weights, no small file."
    ),
    "fold": N_("The same weights but for rounding. You name each convolution and its norm."),
    "no_budget": N_("A rank for each layer from one budget for all is nowhere in PyTorch."),
    "tucker": N_("PyTorch has no Tucker or spatial decomposition; TensorLy has the former."),
    "training": N_(
        "An ordinary training loop in which masks, codes or factors stay: PyTorch has no line for "
        "it. The script above does it."
    ),
    "nothing": N_("Neither PyTorch nor torchao has a line that does the same."),
}


def library_note(kind: str) -> str:
    """The note of this kind, in the reader's language."""
    return _(NOTES[kind])
