"""Controls that can be hidden, by page and key: in a lesson, or by an instructor's link."""

from ui.language import N_

HIDEABLE: dict[str, dict[str, str]] = {
    "overview": {},
    "graph": {},
    "prune": {
        "prune_method": N_("Method"),
        "prune_scope": N_("Scope"),
        "prune_layer": N_("Layer"),
        "prune_sparsity": N_("Sparsity"),
        "prune_threshold": N_("Threshold"),
    },
    "structured": {
        "structured_importance": N_("Importance"),
        "structured_scope": N_("Scope"),
        "structured_floor": N_("Floor"),
        "structured_ratio": N_("Pruning ratio"),
    },
    "quantize": {
        "quantize_method": N_("Method"),
        "quantize_scope": N_("Scope"),
        "quantize_layer": N_("Layer"),
        "quantize_channel": N_("Output channel"),
        "quantize_bits": N_("Bits"),
        "quantize_granularity": N_("Granularity"),
        "quantize_scheme": N_("Scheme"),
        "quantize_clipping": N_("Range"),
        "quantize_activations": N_("Inputs"),
        "quantize_correct": N_("Correct the biases"),
    },
    "share_weights": {
        "share_choice": N_("Clusters"),
        "share_clusters": N_("Any number"),
        "share_scope": N_("Codebook for"),
        "share_layer": N_("Layer"),
        "share_init": N_("Start from"),
        "share_zeros": N_("Keep zeros"),
    },
    "factorize": {
        "factorize_scope": N_("Ranks of"),
        "factorize_layer": N_("Layer"),
        "factorize_form_choice": N_("Form"),
        "factorize_rank": N_("Rank"),
        "factorize_energy": N_("Energy kept"),
        "factorize_whiten": N_("Data-aware"),
    },
    "recover": {"recover_method": N_("Method"), "recover_presets": N_("Presets")},
    "encode": {
        "encode_layer": N_("Layer"),
        "encode_extent": N_("Coders on"),
        "encode_rest": N_("Biases and norms in 8 bit"),
    },
    "combine": {"combine_files": N_("Files in between")},
    "trade_offs": {
        "trade_offs_methods": N_("Methods"),
        "trade_offs_losses": N_("Loss on a log axis"),
        "trade_offs_closer": N_("Only the best points"),
    },
}
ALWAYS = {  # beside every page
    "model": N_("Model"),
    "recipe": N_("Recipe as text"),
    "recipe_row": N_("Undo, start over, pin"),
    "link_panel": N_("Make a link of this screen"),
    "strip": N_("The line of numbers"),
}
SIDEBAR = ("model", "recipe", "link_panel")  # what no lesson needs
ALL = {key for page in HIDEABLE.values() for key in page} | set(ALWAYS)


def only(page: str, *needed: str) -> tuple[str, ...]:
    """Everything to hide on a page where only these controls are needed."""
    return (*SIDEBAR, *(key for key in HIDEABLE[page] if key not in needed))


def labels(page: str) -> dict[str, str]:
    """What an instructor can hide on a page, by its keys."""
    return HIDEABLE.get(page, {}) | ALWAYS


def style(keys: tuple[str, ...]) -> str:
    """What is hidden neither shows nor takes the focus; keys that are not in `ALL` are left out:
    they may come from an address."""
    chosen = ", ".join(f".st-key-{key}" for key in keys if key in ALL)
    return f"<style>{chosen} {{ display: none !important }}</style>" if chosen else ""
