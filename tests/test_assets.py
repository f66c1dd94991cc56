"""What ships with the project: found in a checkout, and part of what is installed."""

import subprocess
import sys
from pathlib import Path

from compress_core.assets import ASSETS, CHECKOUT, INSTALLED
from compress_core.models.checkpoints import CHECKPOINTS
from compress_core.search import curves, presets
from compress_core.trained import SHIPPED

ROOT = Path(__file__).parents[1]
LISTING = """
import setuptools.dist, distutils.core
found = distutils.core.run_setup("setup.py", stop_after="init").get_command_obj("build_py")
found.ensure_finalized()
for package, folder, _, names in found.data_files:
    print(*(f"{folder}/{name}" for name in names if package == "compress_core.files"), sep="\\n")
"""


def test_in_a_checkout_the_files_lie_beside_the_library() -> None:
    assert ASSETS == CHECKOUT == ROOT / "assets"
    assert INSTALLED.parent == ROOT / "compress_core"


def test_all_that_the_library_reads_is_installed_with_it() -> None:
    listing = subprocess.run(
        [sys.executable, "-c", LISTING], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    folders = (CHECKPOINTS, curves.FOLDER, SHIPPED)
    needed = [presets.FILE, *(file for folder in folders for file in folder.iterdir())]
    assert {str(file.relative_to(ROOT)) for file in needed} == set(listing.split())
