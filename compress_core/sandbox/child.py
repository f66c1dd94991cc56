"""The process inside the sandbox: `python compress_core/sandbox/child.py`, started by `process`.

It reads its limits from the first line of standard input and confines itself before it imports
anything of weight. Then each line is a question, answered with one line of JSON: {"answer": …},
{"refused": sentence} or {"failed": what, "memory": whether memory ran out}.
"""

import importlib
import json
import os
import sys
import threading
import types
from pathlib import Path
from queue import SimpleQueue
from typing import Any

OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "failed to allocate", "cannot allocate")


def main() -> None:
    _leave_out_the_face()
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes where errors go
    limits = json.loads(sys.stdin.buffer.readline())
    confining = importlib.import_module("compress_core.sandbox.confining")
    _send(answers, {"answer": confining.confine(limits)})
    questions: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read_questions, args=(questions,), daemon=True).start()
    while True:
        question = json.loads(questions.get())
        confining.allow_cpu(question["cpu_seconds"])
        _send(answers, _bounded(_answer(question), limits["answer_bytes"]))


def _leave_out_the_face() -> None:
    """Let `compress_core` be a folder of modules: its own names would import torch, for seconds."""
    package = types.ModuleType("compress_core")
    package.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules["compress_core"] = package


def _read_questions(questions: "SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        questions.put(line)
    os._exit(0)  # whoever asked is gone, however that ended


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    module, _, name = question["target"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        return {"answer": function(**question["arguments"])}
    except Exception as error:  # whatever it was, the next question is answered
        if isinstance(error, ValueError) and not _is_out_of_memory(error):
            return {"refused": str(error)[:2000]}
        text = f"{type(error).__name__}: {error}"[:2000]
        return {"failed": text, "memory": _is_out_of_memory(error)}


def _is_out_of_memory(error: Exception) -> bool:
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(part in words for part in OUT_OF_MEMORY)


def _bounded(answer: dict[str, Any], most: int) -> bytes:
    """The answer as a line, or that it is too long to be sent or no JSON."""
    try:
        line = json.dumps(answer).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        return json.dumps({"failed": f"its answer is no JSON: {error}"[:2000]}).encode() + b"\n"
    if len(line) <= most:
        return line
    text = f"its answer takes {len(line):,} bytes, more than the {most:,} that are read"
    return json.dumps({"failed": text}).encode() + b"\n"


def _send(answers: int, line: bytes | dict[str, Any]) -> None:
    raw = json.dumps(line).encode() + b"\n" if isinstance(line, dict) else line
    while raw:
        raw = raw[os.write(answers, raw) :]


if __name__ == "__main__":
    main()
