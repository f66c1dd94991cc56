"""The server listens before torch is imported: a visitor's browser loads meanwhile."""

import subprocess
import sys

from ui.session.state import ROOT


def test_the_app_is_imported_without_torch() -> None:
    code = "import sys, app; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"
