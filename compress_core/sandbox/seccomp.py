"""System calls that reading a file never needs, refused by the kernel (seccomp, Linux).

The filter is a program of the kernel's small machine (classic BPF). It refuses sockets, other
programs and processes, and what reaches into other processes or into the kernel. Threads stay.
Source: linux/seccomp.h, linux/bpf_common.h; the kernel's tables of system calls.
"""

import ctypes
import errno
import os
import platform
import struct

from compress_core.sandbox.kernel import prctl

PR_SET_SECCOMP, MODE_FILTER = 22, 2
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
CLONE_THREAD, CLONE3 = 0x10000, 435
X32_CALLS = 0x40000000  # a second set of numbers for the same calls, on x86-64

# io_uring (setup, enter, register), pidfd_send_signal, pidfd_getfd: the same everywhere
EVERYWHERE = (424, 425, 426, 427, 438)
# Machine: its audit number; clone, prlimit64, tgkill; and the numbers of: socket, socketpair, bind,
# connect; execve, execveat, fork, vfork; kill, rt_sigqueueinfo, ptrace, process_vm_readv,
# process_vm_writev; mount, umount2, pivot_root, chroot, unshare, setns; bpf, perf_event_open,
# userfaultfd, keyctl, add_key, request_key, kexec_load, init_module, finit_module, delete_module,
# open_by_handle_at; tkill, rt_tgsigqueueinfo, setpriority, shmget
MACHINES = {
    "x86_64": (
        0xC000003E,
        (56, 302, 234),
        "41 53 49 42 59 322 57 58 62 129 101 310 311 165 166 155 161 272 308 "
        "321 298 323 250 248 249 246 175 313 176 304 200 297 141 29",
    ),
    "aarch64": (
        0xC00000B7,
        (220, 261, 131),
        "198 199 200 203 221 281 129 138 117 270 271 40 39 41 51 97 268 "
        "280 241 282 219 217 218 104 105 273 106 265 130 240 140 194",
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def refuse_calls() -> None:
    """Raises OSError where the machine is none of MACHINES, or the kernel has no filters."""
    if platform.machine() not in MACHINES:
        raise OSError(errno.ENOSYS, f"no table of system calls for {platform.machine()}")
    code = _filter(*MACHINES[platform.machine()])
    program = ctypes.byref(_Program(len(code) // 8, code))
    prctl(PR_SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), program)


def _filter(architecture: int, own_alone: tuple[int, int, int], refused: str) -> bytes:
    """The program: a call of another architecture ends the process, a refused one fails with EPERM.
    clone may make threads alone; clone3 hides its flags, so it does not exist: libc takes clone.
    prlimit64 and tgkill may name this process alone."""
    clone, prlimit, tgkill = own_alone
    refuse = _line(RETURN, REFUSE | errno.EPERM)
    lines = [
        _line(LOAD, ARCHITECTURE),
        _line(JUMP_EQUAL, architecture, 1, 0),
        _line(RETURN, KILL),
        _line(LOAD, NUMBER),
        _line(JUMP_AT_LEAST, X32_CALLS, 0, 1),
        refuse,
        _line(JUMP_EQUAL, CLONE3, 0, 1),
        _line(RETURN, REFUSE | errno.ENOSYS),
    ]
    for number in (*map(int, refused.split()), *EVERYWHERE):
        lines += [_line(JUMP_EQUAL, number, 0, 1), refuse]
    for number, itself in ((prlimit, 0), (tgkill, os.getpid())):
        lines += [
            _line(JUMP_EQUAL, number, 0, 4),
            _line(LOAD, FIRST_ARGUMENT),
            _line(JUMP_EQUAL, itself, 1, 0),
            refuse,
            _line(RETURN, ALLOW),
        ]
    lines += [
        _line(JUMP_EQUAL, clone, 0, 3),
        _line(LOAD, FIRST_ARGUMENT),
        _line(JUMP_BITS, CLONE_THREAD, 1, 0),
        refuse,
        _line(RETURN, ALLOW),
    ]
    return b"".join(lines)


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
