"""The scripts of our small components."""

from pathlib import Path

IN_TURN = (Path(__file__).parent / "one_at_a_time.js").read_text()


def telling(script: Path) -> str:
    """A component's script that tells the server something by itself, each in its turn."""
    return IN_TURN + script.read_text()
