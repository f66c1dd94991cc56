"""Where the files lie that ship with the project: checkpoints, presets, curves, trained steps."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED, CHECKOUT = PACKAGE / "files", PACKAGE.parent / "assets"  # pyproject.toml names both
ASSETS = INSTALLED if INSTALLED.is_dir() else CHECKOUT
