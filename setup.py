"""What is installed: the library, and the files that it ships with.

They lie in assets/, and become compress_core/files: in pyproject.toml one cannot say both "all
packages that are found" and "this one from elsewhere". All else stands there.
"""

from setuptools import find_packages, setup

FILES = "compress_core.files"  # compress_core/assets.py looks for them there

setup(
    packages=[*find_packages(include=["compress_core*"]), FILES],
    package_dir={FILES: "assets"},
    package_data={FILES: ["presets.json", "checkpoints/*", "curves/*", "trained/*"]},
)
