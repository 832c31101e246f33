"""Confines this process: resource limits, no file and no network beyond its need.

Linux Landlock where the kernel has it (5.13 and later; kernel documentation
`userspace-api/landlock.rst`), resource limits everywhere. It is the second barrier: the
first is that a site's configuration cannot name anything outside.
"""

import ctypes
import os
import resource
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

# The numbers are the same on every architecture (unified since 5.x).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_READ_FILE, _READ_DIRECTORY, _EXECUTE, _WRITE_FILE = 1 << 2, 1 << 3, 1, 1 << 1
_READ = _READ_FILE | _READ_DIRECTORY | _EXECUTE
#: How many file rights each version of the interface knows.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NEWEST = 5
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_BIND_AND_CONNECT = 0b11
_SOCKETS_AND_SIGNALS = 0b11
_TRUNCATE, _CONTROL_DEVICE = 1 << 14, 1 << 15
_FOR_FILES = _READ_FILE | _WRITE_FILE | _EXECUTE | _TRUNCATE | _CONTROL_DEVICE
CPU_GRACE_SECONDS = 5


def limit(*, cpu_seconds: int, memory_bytes: int, file_bytes: int) -> None:
    """Limits of this process and of what it starts."""
    # The soft limit sends SIGXCPU, by which the reason is known; the hard one kills.
    _lower(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + CPU_GRACE_SECONDS)
    _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_NOFILE, 512)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(resource_kind: int, soft: int, most: int | None = None) -> None:
    _, hard = resource.getrlimit(resource_kind)
    most = soft if most is None else most
    if hard != resource.RLIM_INFINITY:
        soft, most = min(soft, hard), min(most, hard)
    resource.setrlimit(resource_kind, (soft, most))


def needed_to_run() -> list[Path]:
    """The folders that the interpreter and its packages read: no home, no /proc."""
    paths = [sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()]
    system = ["/usr", "/bin", "/lib", "/lib64", "/etc/mime.types", "/etc/localtime"]
    system += ["/etc/fonts", "/etc/ld.so.cache", "/etc/alternatives", "/dev/urandom"]
    return [Path(path) for path in dict.fromkeys([*paths, *system])]


def confine(*, read: Iterable[Path], write: Iterable[Path]) -> bool:
    """Allow this process only `read` and `write`; whether the kernel could do it."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    everything = (1 << _FILE_RIGHTS[min(version, _NEWEST)]) - 1
    ruleset = _ruleset(libc, version, everything)
    try:
        for path in read:
            _allow(libc, ruleset, path, _READ & everything)
        for path in write:
            _allow(libc, ruleset, path, everything)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0), "restrict")
    finally:
        os.close(ruleset)
    return True


def _ruleset(libc: ctypes.CDLL, version: int, everything: int) -> int:
    attributes = [everything]
    if version >= _NETWORK_SINCE:
        attributes.append(_BIND_AND_CONNECT)
    if version >= _SCOPES_SINCE:
        attributes.append(_SOCKETS_AND_SIGNALS)
    raw = struct.pack(f"={len(attributes)}Q", *attributes)
    return _checked(libc.syscall(_CREATE_RULESET, raw, len(raw), 0), "create")


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # a missing file needs no right
    try:
        if not path.is_dir():
            rights &= _FOR_FILES
        raw = struct.pack("=Qi", rights, opened)
        _checked(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, raw, 0), "allow")
    finally:
        os.close(opened)


def _checked(result: int, call_name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"landlock {call_name}: {os.strerror(number)}")
    return int(result)
