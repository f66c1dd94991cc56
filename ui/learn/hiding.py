"""Controls that can be hidden, by page and key: in a lesson, or by an instructor's link."""

HIDEABLE: dict[str, dict[str, str]] = {
    "overview": {},
    "graph": {},
    "prune": {
        "prune_method": "Method",
        "prune_scope": "Scope",
        "prune_layer": "Layer",
        "prune_sparsity": "Sparsity",
        "prune_threshold": "Threshold",
    },
    "structured": {
        "structured_importance": "Importance",
        "structured_scope": "Scope",
        "structured_floor": "Floor",
        "structured_ratio": "Pruning ratio",
    },
    "quantize": {
        "quantize_method": "Method",
        "quantize_scope": "Scope",
        "quantize_layer": "Layer",
        "quantize_channel": "Output channel",
        "quantize_bits": "Bits",
        "quantize_granularity": "Granularity",
        "quantize_scheme": "Scheme",
        "quantize_clipping": "Range",
        "quantize_activations": "Inputs",
        "quantize_correct": "Correct the biases",
    },
    "share_weights": {
        "share_choice": "Clusters",
        "share_clusters": "Any number",
        "share_scope": "Codebook for",
        "share_layer": "Layer",
        "share_init": "Start",
        "share_zeros": "Keep zeros",
    },
    "factorize": {
        "factorize_scope": "Ranks of",
        "factorize_layer": "Layer",
        "factorize_form_choice": "Form",
        "factorize_rank": "Rank",
        "factorize_energy": "Energy kept",
        "factorize_whiten": "Data-aware",
    },
    "recover": {"recover_method": "Method", "recover_presets": "Presets"},
    "encode": {
        "encode_layer": "Layer",
        "encode_extent": "Coders on",
        "encode_rest": "Biases and norms in 8 bit",
    },
    "combine": {"combine_files": "Files in between"},
    "trade_offs": {
        "trade_offs_methods": "Methods",
        "trade_offs_losses": "Loss on a log axis",
        "trade_offs_closer": "Only the best points",
    },
}
ALWAYS = {  # beside every page
    "model": "Model",
    "recipe": "Recipe as text",
    "recipe_row": "Undo, start over, pin",
    "link_panel": "Make a link of this screen",
    "strip": "The line of numbers",
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
