"""What nobody would put into a table of tasks: each hurts the process that runs it."""

import ctypes
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any


def greet(name: str) -> dict[str, Any]:
    return {"hello": name, "pid": os.getpid()}


def refuse() -> dict[str, Any]:
    raise ValueError("no: <b>bold</b>\nsecond line")


def fail() -> dict[str, Any]:
    raise KeyError("weight")


def eat_memory(megabytes: int) -> dict[str, Any]:
    return {"bytes": len(bytearray(megabytes * 1_000_000))}


def burn() -> dict[str, Any]:
    while True:
        pass


def sleep() -> dict[str, Any]:
    time.sleep(60)
    return {}


def crash() -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def leave() -> dict[str, Any]:
    os._exit(3)


def answer_much(length: int) -> dict[str, Any]:
    return {"text": "x" * length}


def shout_past_the_limit() -> dict[str, Any]:
    """What a process that was taken over could send."""
    for descriptor in range(3, 12):
        with_bytes(descriptor, b"[" * 3_000_000)
    return {}


def with_bytes(descriptor: int, raw: bytes) -> None:
    try:
        os.write(descriptor, raw)
    except OSError:
        return


def print_much() -> dict[str, Any]:
    print("x" * 1_000_000, flush=True)
    print("y" * 1_000_000, file=sys.stderr, flush=True)
    return {}


def write_file(path: str, length: int = 1) -> dict[str, Any]:
    Path(path).write_bytes(bytes(length))
    return {"there": Path(path).exists()}


def read_file(path: str) -> dict[str, Any]:
    return {"text": Path(path).read_text()}


def link(path: str) -> dict[str, Any]:
    Path("link").symlink_to(path)
    return {}


def connect(port: int) -> dict[str, Any]:
    socket.create_connection(("127.0.0.1", port), timeout=2)
    return {}


def call_kernel(name: str) -> dict[str, Any]:
    """What native code can do, past Python's own refusal."""
    libc = ctypes.CDLL(None, use_errno=True)
    calls = {
        "socket": lambda: libc.socket(2, 1, 0),
        "fork": libc.fork,
        "execve": lambda: libc.execve(b"/bin/true", None, None),
        "kill": lambda: libc.kill(os.getppid(), 0),
        "tgkill": lambda: libc.tgkill(os.getppid(), os.getppid(), 0),
        "prlimit": lambda: libc.prlimit(os.getppid(), 7, (ctypes.c_ulong * 2)(1, 1), None),
    }
    return {"result": calls[name](), "errno": os.strerror(ctypes.get_errno())}


def run_program() -> dict[str, Any]:
    return {"code": os.system("true")}


def start_threads(count: int) -> dict[str, Any]:
    for _ in range(count):
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    time.sleep(30)
    return {}


def environment() -> dict[str, Any]:
    return {"names": sorted(os.environ), "folder": str(Path.cwd())}


def run_network() -> dict[str, Any]:
    """Nothing that hurts: what the child is for."""
    import numpy as np
    import onnxruntime
    import torch
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.array([[-1, 2, -3], [4, -5, 6]], "float32")
    same = torch.relu(torch.from_numpy(x)).numpy() == session.run(None, {"x": x})[0]
    return {"same": bool(same.all())}


def modules() -> dict[str, Any]:
    return {"names": sorted(sys.modules)}
