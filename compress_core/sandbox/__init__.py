"""Work on other people's files in a process that cannot hurt this one.

What holds on Linux, for every question to the child (`guards` of `confining` says what holds here):

- memory, address space, CPU time and file size are limited by the kernel; this process looks at
  resident memory, threads and time, and ends the child beyond them;
- no network: a network namespace of its own, and a filter that refuses sockets (seccomp);
- no other programs, no new privileges, no core dump, an environment without secrets;
- writing only below the child's folder, reading only there, Python and the data sets (Landlock,
  Linux 5.13 and newer).

On macOS the kernel limits CPU time and file size; sockets and programs are refused by Python alone,
and time is watched. On Windows there is that refusal and the watch over time. Native code that a
file takes over is not held there: run such a server in a container, or for people you trust.
"""

from compress_core.sandbox.errors import RefusedError, SandboxError
from compress_core.sandbox.limits import Limits
from compress_core.sandbox.room import Room, run
from compress_core.sandbox.tasks import TASKS

__all__ = ["TASKS", "Limits", "RefusedError", "Room", "SandboxError", "run"]
