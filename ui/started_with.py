"""What stands behind `streamlit run app.py --`: a model that is trusted, or a checkpoint."""

import os
import sys
from pathlib import Path

from ui.checkpoint import chosen

BAD_OPTIONS = 2


def announce(argv: list[str]) -> None:
    """Let this process, and those that it starts, find what `argv` names; an app that was started
    in another way, as by a test, names nothing. Ends the process, with a sentence, where that
    cannot be."""
    if Path(argv[0]).name != "app.py" or len(argv) == 1:
        return
    from compress_core.trusted import parse_app_options  # torch, of which a bare start waits less

    try:
        options = parse_app_options(argv[1:])
        if options.model is not None:
            options.model.announce()
            options.model.original()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(BAD_OPTIONS)  # Streamlit would go on without an app
    if options.weights_only is not None:
        os.environ[chosen.VARIABLE] = str(options.weights_only)
