"""A child that does its worst ends, or is refused; whoever asked gets one sentence."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compress_core.processes import ROOT
from compress_core.sandbox import TASKS, Limits, RefusedError, Room, SandboxError, confining, run
from tests.sandbox import hurting

SMALL = Limits(memory_bytes=200_000_000, seconds=60.0, cpu_seconds=20.0, answer_bytes=100_000)
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")


@pytest.fixture(autouse=True)
def _hurting_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, function in vars(hurting).items():
        if callable(function) and getattr(function, "__module__", "") == hurting.__name__:
            monkeypatch.setitem(TASKS, name, f"tests.sandbox.hurting:{name}")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with Room(tmp_path, SMALL) as room:
        yield room


def guards_hold(room: Room, *names: str) -> bool:
    return all("kernel" in room.guards[name] for name in names)


def test_a_task_answers_in_another_process(tmp_path: Path) -> None:
    answer = run("greet", {"name": "Ada"}, tmp_path)
    assert answer["hello"] == "Ada"
    assert answer["pid"] != os.getpid()


def test_only_tasks_of_the_table_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'os:system' is no task of a sandbox; there are guards,"):
        run("os:system", {}, tmp_path)


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no folder that exists; make it first"):
        run("greet", {"name": ""}, tmp_path / "none")


def test_a_refusal_is_the_tasks_own_sentence_made_fit_to_be_shown(room: Room) -> None:
    with pytest.raises(RefusedError, match=r"^no: ‹b›bold‹/b›\\nsecond line$"):
        room.ask("refuse", {})


def test_another_error_is_named_and_the_child_lives_on(room: Room) -> None:
    before = room.ask("greet", {"name": ""})["pid"]
    with pytest.raises(SandboxError, match=r"cannot be read \(KeyError: 'weight'\); save it"):
        room.ask("fail", {})
    assert room.ask("greet", {"name": ""})["pid"] == before


def test_arguments_that_a_task_does_not_have_are_an_error(room: Room) -> None:
    with pytest.raises(SandboxError, match=r"TypeError: greet\(\) got an unexpected keyword"):
        room.ask("greet", {"nobody": 1})


@linux
def test_memory_is_limited(room: Room) -> None:
    with pytest.raises(SandboxError, match="more than the 200 MB of memory that are allowed; give"):
        room.ask("eat_memory", {"megabytes": 400})


@linux
def test_processor_time_is_limited(room: Room) -> None:
    with pytest.raises(SandboxError, match=r"longer than the 0\.2 s that are allowed"):
        room.ask("burn", {}, seconds=0.2)


@linux
def test_processor_time_counts_for_each_question(tmp_path: Path) -> None:
    with Room(tmp_path, Limits(cpu_seconds=0.1, seconds=120.0)) as room:
        with pytest.raises(SandboxError, match=r"longer than the 0\.1 s that are allowed"):
            room.ask("burn", {})
        assert room.ask("greet", {"name": "b"})["hello"] == "b"


def test_time_on_the_wall_is_limited(room: Room) -> None:
    began = time.monotonic()
    with pytest.raises(SandboxError, match=r"longer than the 0\.5 s that are allowed"):
        room.ask("sleep", {}, seconds=0.5)
    assert time.monotonic() - began < 5


def test_a_crash_of_native_code_is_a_sentence_and_the_next_question_is_answered(room: Room) -> None:
    before = room.ask("greet", {"name": ""})["pid"]
    with pytest.raises(SandboxError, match=r"ended its process \(signal 11 \(SIGSEGV\): native"):
        room.ask("crash", {})
    assert room.ask("greet", {"name": ""})["pid"] != before


def test_a_child_that_leaves_is_a_sentence(room: Room) -> None:
    with pytest.raises(SandboxError, match=r"ended its process \(code 3\); the file is damaged"):
        room.ask("leave", {})


def test_an_answer_is_bounded(room: Room) -> None:
    with pytest.raises(SandboxError, match=r"200,\d\d\d bytes, more than the 100,000 that are"):
        room.ask("answer_much", {"length": 200_000})


def test_what_is_no_answer_ends_the_child(room: Room) -> None:
    with pytest.raises(SandboxError, match="an answer that is no answer; it is refused"):
        room.ask("shout_past_the_limit", {})
    assert room.ask("greet", {"name": "b"})["hello"] == "b"


def test_what_a_child_prints_is_kept_up_to_a_limit(tmp_path: Path) -> None:
    run("print_much", {}, tmp_path, SMALL)
    assert (tmp_path / "log.txt").stat().st_size == SMALL.log_bytes


def test_files_are_written_below_the_folder(room: Room, tmp_path: Path) -> None:
    assert room.ask("write_file", {"path": "inside.txt"}) == {"there": True}
    assert (tmp_path / "inside.txt").read_bytes() == b"\0"


@linux
def test_files_elsewhere_are_not_written(room: Room, tmp_path_factory: Any) -> None:
    if not guards_hold(room, "writing"):
        pytest.skip("this kernel has no Landlock")
    outside = tmp_path_factory.mktemp("outside") / "canary"
    with pytest.raises(SandboxError, match="PermissionError"):
        room.ask("write_file", {"path": str(outside)})
    with pytest.raises(SandboxError, match="PermissionError"):
        room.ask("link", {"path": str(outside)})
    assert not outside.exists()


@linux
def test_files_of_others_are_not_read(room: Room, tmp_path: Path, tmp_path_factory: Any) -> None:
    if not guards_hold(room, "reading"):
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "own.txt").write_text("own")
    assert room.ask("read_file", {"path": "own.txt"}) == {"text": "own"}
    secret = tmp_path_factory.mktemp("other") / "secret.txt"
    secret.write_text("secret")
    hidden = (ROOT / ".gitignore", Path(f"/proc/{os.getpid()}/environ"))
    for path in (secret, *hidden):
        with pytest.raises(SandboxError, match="PermissionError"):
            room.ask("read_file", {"path": str(path)})


@linux
def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="File too large"):
        run("write_file", {"path": "big", "length": 2_000_000}, tmp_path, Limits(file_bytes=10**6))


def test_there_is_no_network(room: Room) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(SandboxError):
        room.ask("connect", {"port": server.getsockname()[1]})


def test_no_other_program_runs(room: Room) -> None:
    with pytest.raises(SandboxError, match=r"os\.system is not allowed"):
        room.ask("run_program", {})


@linux
@pytest.mark.parametrize("call", ["socket", "fork", "execve", "kill", "tgkill", "prlimit"])
def test_the_kernel_refuses_native_code_too(room: Room, call: str) -> None:
    if not guards_hold(room, "programs"):
        pytest.skip("this kernel has no filters")
    answer = room.ask("call_kernel", {"name": call})
    assert answer == {"result": -1, "errno": "Operation not permitted"}


@linux
def test_threads_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="threads, more than the 32 that are allowed"):
        run("start_threads", {"count": 60}, tmp_path)


def test_the_environment_holds_no_secret(room: Room, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    answer = room.ask("environment", {})
    assert "SECRET_TOKEN" not in answer["names"]
    assert answer["folder"] == str(tmp_path.resolve())


def test_a_child_without_a_reason_imports_no_torch(room: Room) -> None:
    assert not {"torch", "numpy", "onnx"} & set(room.ask("modules", {})["names"])


def test_torch_and_onnxruntime_work_in_a_child(tmp_path: Path) -> None:
    assert run("run_network", {}, tmp_path, Limits(seconds=120.0)) == {"same": True}


def test_a_child_that_is_idle_ends(tmp_path: Path) -> None:
    with Room(tmp_path, SMALL, idle_s=0.1) as room:
        before = room.ask("greet", {"name": ""})["pid"]
        time.sleep(0.6)
        assert room.ask("greet", {"name": ""})["pid"] != before


def test_threads_ask_one_after_another(room: Room) -> None:
    answers: list[str] = []
    ask = lambda name: answers.append(room.ask("greet", {"name": name})["hello"])  # noqa: E731
    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted(map(str, range(8)))


def test_closing_ends_a_question_that_runs(tmp_path: Path) -> None:
    room = Room(tmp_path, SMALL)
    threading.Timer(0.5, room.close).start()
    with pytest.raises(SandboxError, match=r"ended its process|closed"):
        room.ask("sleep", {})
    with pytest.raises(SandboxError, match="this model was closed; open it again"):
        room.ask("greet", {"name": ""})


def test_elsewhere_than_on_linux_it_is_said_that_python_alone_refuses(monkeypatch: Any) -> None:
    monkeypatch.setattr("compress_core.sandbox.confining.sys.platform", "win32")
    assert confining._confine_by_kernel(Path(), []) == {
        "network": "refused by Python",
        "programs": "refused by Python",
        "writing": "not limited to its folder",
        "reading": "not limited",
    }


def test_limits_that_let_nothing_run_are_refused() -> None:
    with pytest.raises(ValueError, match="threads=0 lets nothing run; it must be above 0"):
        Limits(threads=0)
