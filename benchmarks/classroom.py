"""A class on one server: N visitors over the app's own websocket, each moving its main control.

Every visitor opens a page and moves its main control every 4 s (uniform, 40 % more or less), to
values of its own. In a mixed class half of the visitors also turn pages, scroll through every
second of them, use all methods and type recipes. Measured are the times from an act to the new
bytes and to the first accuracy of the new recipe, to all of a turned page, and to what is drawn
when it is scrolled through. An answer that had not come when the visitor went on counts with the
time until then, or as unanswered after half a minute. The visitors share the machine with the
server.

`python -m benchmarks.classroom --visitors 10 50 --mixed 0.5` chooses another class.
"""

import argparse
import asyncio
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from benchmarks.browser import running_app
from benchmarks.visitor import Visitor
from compress_core.command_line.console import print_table
from compress_core.data import is_available

MODEL = "mnist-lenet-5"
EVERY_S, JITTER = 4.0, 0.4
PATIENCE_S = 30.0
OPENING_S = 8.0  # the class comes in one after the other
SECONDS = 120.0
LOOK_DOWN = 0.5  # share of turned pages that are also scrolled through
PENDING = "being measured"  # what stands under an accuracy that is not there yet
CONTROLS: dict[str, tuple[str, float, float]] = {  # of each page: key, and the range of the values
    "prune": ("prune_sparsity", 50.0, 99.0),
    "quantize": ("quantize_bits", 2, 8),
    "share_weights": ("share_clusters", 4, 200),
    "factorize": ("factorize_energy", 60.0, 99.0),
    "structured": ("structured_ratio", 5.0, 60.0),
}
WHOLE = ("quantize_bits", "share_clusters")
PAGES = (*CONTROLS, "encode", "combine", "overview")
TYPED = (
    "prune:sparsity={share:.4f};quantize:bits={bits}",
    "prune:sparsity={share:.4f};share:clusters={clusters}",
    "factorize:energy={share:.4f};quantize:bits={bits},granularity=channel",
    "prune_structured:pruning_ratio={ratio:.2f};prune:sparsity={share:.4f}",
    "random_prune:sparsity={share:.4f};binarize:layers=fc1",
    "prune:sparsity={share:.4f},layers=fc*;quantize:bits={bits},clipping=mse",
)
COLUMNS = (
    *(
        "class",
        "visitors",
        "acts",
        "bytes p50",
        "p95",
        "accuracy p50",
        "p95",
        "turned p95",
        "seen p95",
    ),
    *("unanswered", "errors", "CPU an act", "MB server", "MB all"),
)


@dataclass
class Log:
    """What happened to a class, in seconds."""

    opened: list[float] = field(default_factory=list)
    bytes: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    turned: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    unanswered: int = 0
    errors: list[str] = field(default_factory=list)
    cpu_s: float = 0.0  # processor time of pages and messages while the class worked
    memory: list[tuple[int, int]] = field(default_factory=list)  # MB of the server, and of all


def run() -> None:
    if not is_available("mnist"):
        print("\nclassroom: skipped, MNIST is not here; `python -m compress_core data mnist`")
        return
    rows = [measure(visitors, 0.0, SECONDS) for visitors in (1, 10, 25, 50)]
    rows += [measure(visitors, 0.5, SECONDS) for visitors in (10, 50)]
    print_table(COLUMNS, rows, title="classroom: from an act to its answer")


def measure(visitors: int, mixed: float, seconds: float) -> tuple[str, ...]:
    """A line of the table, of a class at a server of its own."""
    with running_app() as app:
        log = asyncio.run(attend(app.origin, app.pid, visitors, mixed, seconds))
    for error in dict.fromkeys(log.errors):
        print(f"  error: {error[:300]}")
    return cells(log, visitors, mixed)


def cells(log: Log, visitors: int, mixed: float) -> tuple[str, ...]:
    servers, alls = zip(*log.memory, strict=True)
    return (
        "prune" if not mixed else f"{mixed:.0%} mixed",
        str(visitors),
        str(len(log.bytes) + len(log.turned)),
        *(text for times in (log.bytes, log.accuracy) for text in (p50(times), p95(times))),
        p95(log.turned),
        p95(log.seen),
        str(log.unanswered),
        str(len(log.errors)),
        f"{1000 * log.cpu_s / max(1, len(log.bytes) + len(log.turned)):.0f} ms",
        f"{servers[len(servers) // 2]} → {servers[-1]}",
        f"{alls[len(alls) // 2]} → {alls[-1]}",
    )


def p50(times: Sequence[float]) -> str:
    return f"{median(times):.2f} s" if times else ""


def p95(times: Sequence[float]) -> str:
    return f"{quantiles(times, n=20)[-1]:.2f} s" if len(times) > 1 else ""


async def attend(origin: str, pid: int, visitors: int, mixed: float, seconds: float) -> Log:
    """Let a class come and work for `seconds`."""
    log = Log()
    watching = asyncio.ensure_future(watch_memory(pid, log))
    until = time.perf_counter() + OPENING_S + seconds
    lessons = [
        student(origin, i, log, until, mixes=i < mixed * visitors, late=OPENING_S * i / visitors)
        for i in range(visitors)
    ]
    await asyncio.gather(*lessons, count_cpu(pid, log, until))
    watching.cancel()
    return log


async def student(
    origin: str, number: int, log: Log, until: float, *, mixes: bool, late: float
) -> None:
    dice = random.Random(number)
    await asyncio.sleep(late)
    start = time.perf_counter()
    visitor = await Visitor.enter(origin)
    page = dice.choice(list(CONTROLS)) if mixes else "prune"
    await visitor.open(page, f"model={MODEL}")
    log.opened.append(time.perf_counter() - start)
    await pause(dice)
    while time.perf_counter() < until:
        started = time.perf_counter()
        kind = dice.choice(("move", "turn", "type")) if mixes else "move"
        if kind == "turn":
            page = dice.choice([name for name in PAGES if name != page])
        await act(visitor, page, kind, dice, log)
        await asyncio.sleep(max(0.0, started + wait_s(dice) - time.perf_counter()))
    log.errors += visitor.errors
    await visitor.leave()


def wait_s(dice: random.Random) -> float:
    return EVERY_S * dice.uniform(1 - JITTER, 1 + JITTER)


async def pause(dice: random.Random) -> None:
    await asyncio.sleep(wait_s(dice))


async def act(visitor: Visitor, page: str, kind: str, dice: random.Random, log: Log) -> None:
    """One act, and the times of its answers."""
    start = time.perf_counter()
    if kind == "turn":
        await turn(visitor, page, log)
        if dice.random() < LOOK_DOWN:
            await look_down(visitor, log)
        return
    key = CONTROLS[page][0] if page in CONTROLS else ""
    if not visitor.has("recipe_typed"):  # the page that was turned to has not come
        log.unanswered += 1
        return
    if kind == "move" and visitor.has(key):
        await visitor.set(key, value_of(page, dice))
    else:
        await visitor.set("recipe_typed", typed(dice))
    if not await visitor.wait(lambda: came(visitor, "bytes") > start, PATIENCE_S):
        log.unanswered += 1
        return
    log.bytes.append(came(visitor, "bytes") - start)
    left = start + EVERY_S * (1 - JITTER) - time.perf_counter()
    await visitor.wait(lambda: judged(visitor), max(0.1, left))
    log.accuracy.append(
        (came(visitor, "score") if judged(visitor) else time.perf_counter()) - start
    )


async def turn(visitor: Visitor, page: str, log: Log) -> None:
    start, before = time.perf_counter(), visitor.whole_runs
    await visitor.turn_to(page)
    if await visitor.wait(lambda: visitor.whole_runs > before, PATIENCE_S):
        log.turned.append(time.perf_counter() - start)
    else:
        log.unanswered += 1


async def look_down(visitor: Visitor, log: Log) -> None:
    start = time.perf_counter()
    if await visitor.look_down(PATIENCE_S):
        log.seen.append(time.perf_counter() - start)
    else:
        log.unanswered += 1


def value_of(page: str, dice: random.Random) -> float | str:
    key, low, high = CONTROLS[page]
    if key not in WHOLE:
        return round(dice.uniform(low, high), 3)
    whole = dice.randint(int(low), int(high))
    return str(whole) if key == "quantize_bits" else whole


def typed(dice: random.Random) -> str:
    """A recipe of several steps."""
    return dice.choice(TYPED).format(
        share=dice.uniform(0.5, 0.99),
        ratio=dice.uniform(0.1, 0.6),
        bits=dice.randint(2, 8),
        clusters=dice.randint(4, 64),
    )


def came(visitor: Visitor, name: str) -> float:
    """When it was last drawn; 0 if it never was."""
    return visitor.numbers[name].at if name in visitor.numbers else 0.0


def judged(visitor: Visitor) -> bool:
    """Whether the accuracy is that of the bytes beside it."""
    fresh = came(visitor, "score") > came(visitor, "bytes")
    return fresh and PENDING not in visitor.numbers["score"].below


async def count_cpu(pid: int, log: Log, until: float) -> None:
    """The processor time that pages and messages take, from when all have come: that of all but
    the threads that live on, which measure and look after jobs."""
    await asyncio.sleep(OPENING_S)
    whole, others = cpu_s(f"{pid}"), threads(pid)
    await asyncio.sleep(max(0.0, until - time.perf_counter()))
    later = threads(pid)
    lived_on = sum(later[thread] - others[thread] for thread in later.keys() & others.keys())
    log.cpu_s = cpu_s(f"{pid}") - whole - lived_on


def threads(pid: int) -> dict[str, float]:
    """The processor time of each thread but the first, in which the server's loop runs."""
    tasks = (path.name for path in Path(f"/proc/{pid}/task").glob("*"))
    return {task: cpu_s(f"{pid}/task/{task}") for task in tasks if task != str(pid)}


def cpu_s(process: str) -> float:
    """Of a process or thread, in user and system mode; 0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def watch_memory(pid: int, log: Log) -> None:
    """Every few seconds the resident megabytes of the server, and of its workers too."""
    while True:
        own = resident_mb(pid)
        log.memory.append((own, own + sum(map(resident_mb, children(pid)))))
        await asyncio.sleep(2)


def resident_mb(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it has ended, or this is no Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def children(pid: int) -> list[int]:
    """Processes that any thread of `pid` has started."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        return [int(child) for file in files for child in file.read_text().split()]
    except OSError:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classroom", description=__doc__)
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 10, 25, 50])
    parser.add_argument("--mixed", type=float, default=0.0, help="share that does all things")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    rows = [measure(n, options.mixed, options.seconds) for n in options.visitors]
    print_table(COLUMNS, rows, title="classroom: from an act to its answer")


if __name__ == "__main__":
    main()
