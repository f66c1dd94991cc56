"""The command line: `python -m compress_core COMMAND`.

Bad input ends with exit code 2 and one line that says value, rule and remedy.
"""

import os
import sys
from collections.abc import Sequence

import torch

from compress_core.command_line.own_models import choose_model
from compress_core.command_line.parser import BAD_INPUT, build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    torch.set_num_threads(1)  # at these sizes a second thread costs more than it brings
    options = build_parser().parse_args(arguments)
    try:
        choose_model(options)
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        return reader_left()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def reader_left() -> int:
    """A reader such as `| head` has closed the pipe: print nothing more, not at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print("error: the reader of the output left before all was printed", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
