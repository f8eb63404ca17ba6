"""Where a Redis of our own lives: its folder, its socket, and the two locks.

`redis.lock` is held by the Redis process itself, which inherits the descriptor: it is held for
exactly as long as that process lives, whatever became of whoever started it. In it stands where
the socket is. `owner.lock` is held by the server that ends Redis when it ends. `clean` says which
files a Redis had written whole when it ended.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from workers.errors import EmbeddedRedisError

__all__ = ["Home", "running_url", "socket_path"]

LOCK = "redis.lock"

#: `sun_path` has 108 bytes on Linux, 104 elsewhere.
LONGEST_SOCKET = 100
TAIL_BYTES = 64 * 1024
#: With less room than this the disk is why Redis does not start.
LEAST_FREE_BYTES = 64 * 1024


def socket_path(var: Path) -> Path:
    """The socket of the Redis that has its files below *var*.

    A path too long for a socket is replaced by a short one, always the same, in a folder of the
    system's temporary one that only this user may enter.

    Raises:
        EmbeddedRedisError: that folder is somebody else's.
    """
    path = var.resolve() / "redis" / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        return path
    name = hashlib.sha256(b"%d %s" % (os.geteuid(), os.fsencode(var.resolve()))).hexdigest()[:16]
    for temporary in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder below is checked
        path = Path(temporary, f"census-{os.geteuid()}", f"{name}.sock")
        if len(os.fsencode(path)) <= LONGEST_SOCKET:
            break
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        found = path.parent.lstat()
    except OSError as exc:
        raise EmbeddedRedisError(f"no place for a socket: {path.parent}: {exc.strerror}") from exc
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.geteuid()
        or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise EmbeddedRedisError(
            f"{path.parent} is not a folder that only this user may enter: remove it, or set"
            " CENSUS_VAR to a shorter path"
        )
    return path


def running_url(var: Path) -> str | None:
    """The URL of the Redis that was started last below *var*, if its socket is there."""
    try:
        told = _written_in(var.resolve() / "redis" / LOCK)
    except OSError:
        return None
    return _url(told) if told is not None and told.is_socket() else None


def _url(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


def _written_in(lock: Path) -> Path | None:
    said = lock.read_bytes()
    return Path(os.fsdecode(said[:-1])) if said.endswith(b"\n") else None


class Home:
    """The folder `redis` below CENSUS_VAR, made when it is not there. Nothing in it is removed."""

    def __init__(self, var: Path) -> None:
        """Raises EmbeddedRedisError: the folder cannot be made, or not be written to."""
        self.folder = var.resolve() / "redis"
        self.log = self.folder / "redis.log"
        self._lock = self.folder / LOCK
        self._clean = self.folder / "clean"
        self._log_from = 0
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(self._open(self._lock))
        except OSError as exc:
            raise self._unusable(exc) from exc
        self.socket = socket_path(var)

    @property
    def url(self) -> str:
        """The socket as CENSUS_REDIS_URL has it."""
        return _url(self.socket)

    def own(self) -> int | None:
        """Hold `owner.lock`: its descriptor, to be closed. None: another server has it."""
        return self._taken(self.folder / "owner.lock")

    def take(self) -> int | None:
        """Hold `redis.lock` for a Redis to inherit, to be closed. None: a Redis is there.

        Where that one listens is `socket` then; it may have been started with another TMPDIR.
        """
        descriptor = self._taken(self._lock)
        if descriptor is None:
            self.socket = _written_in(self._lock) or self.socket
            return None
        try:
            self._tell(descriptor)
            self._log_from = self.log.stat().st_size if self.log.exists() else 0
        except OSError as exc:
            os.close(descriptor)
            raise self._unusable(exc) from exc
        return descriptor

    def open_log(self) -> int:
        """A descriptor for what a Redis says before it opens its log itself, to be closed."""
        try:
            return os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise self._unusable(exc) from exc

    def split_append_only_file(self) -> bool:
        """Whether the files are as Redis 7 writes them, which an older one would not even see."""
        return (self.folder / "appendonlydir").is_dir()

    def append_only_file(self) -> Path | None:
        """The one that a Redis writes to; None where there is none yet.

        Redis 7 has it beside those it began with, and names the newest last in a manifest.
        """
        folder = self.folder / "appendonlydir"
        try:
            manifest = (folder / "appendonly.aof.manifest").read_text(errors="replace")
        except OSError:
            file = self.folder / "appendonly.aof"
        else:
            names = re.findall(r"^file (\S+) seq \d+ type i\b", manifest, re.MULTILINE)
            if not names:
                return None
            file = folder / names[-1]
        return file if file.is_file() else None

    def set_clean(self) -> None:
        """Note that a Redis which ended just now has written its file whole."""
        with suppress(EmbeddedRedisError, OSError):  # it is only checked once more then
            if (lock := self.take()) is None:
                return  # another Redis writes already
            try:
                self._clean.write_text(self._state_of_file())
            finally:
                os.close(lock)

    def is_clean(self) -> bool:
        """Whether the file is as it was when `set_clean` was called last.

        Its name, length and time say so. A note that is merely removed at the next start might
        be there again after a crash.
        """
        try:
            return self._clean.read_text(errors="replace") == self._state_of_file()
        except OSError:
            return False

    def _state_of_file(self) -> str:
        if (file := self.append_only_file()) is None:
            return ""
        found = file.stat()
        return f"{file.name} {found.st_size} {found.st_mtime_ns}\n"

    def why(self) -> str:
        """What ended the Redis that was started last, from its log and the disk."""
        text = self._log_tail()
        if found := re.search(r"reading the append only file ?(\S*?)(?::|\. )", text):
            return self._unreadable(found[1])
        if shutil.disk_usage(self.folder).free < LEAST_FREE_BYTES:
            return f"the disk of {self.folder} is full"
        lines = [line for line in text.splitlines() if line.strip()]
        # `18444:M 22 Nov 2026 22:06:12.172 # A warning`; what else stands there was not so bad.
        warnings = [line.partition(" # ")[2] for line in lines if " # " in line[:60]]
        last = (warnings or lines or ["it said nothing"])[-1]
        return f"{last} ({self.log} has the rest)"

    def _unreadable(self, name: str) -> str:
        if self.split_append_only_file():
            folder = self.folder / "appendonlydir"
            damaged, repaired = folder / name, folder / "appendonly.aof.manifest"
        else:
            damaged = repaired = self.folder / "appendonly.aof"
        return (
            f"{damaged} is damaged. Nothing was changed. Copy {self.folder} elsewhere, then run"
            f" `redis-check-aof --fix {repaired}`, which cuts the file off where the damage begins"
            " (a redis-server called redis-check-aof, through a symbolic link, is that program)"
        )

    def _log_tail(self) -> str:
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_from, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                return file.read(TAIL_BYTES).decode(errors="replace")
        except OSError:
            return ""

    def _tell(self, descriptor: int) -> None:
        said = os.fsencode(self.socket) + b"\n"
        if os.pread(descriptor, len(said) + 1, 0) != said:
            os.pwrite(descriptor, said, 0)
            os.ftruncate(descriptor, len(said))

    def _taken(self, path: Path) -> int | None:
        try:
            descriptor = self._open(path)
        except OSError as exc:
            raise self._unusable(exc) from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as exc:
            os.close(descriptor)
            raise self._unusable(exc) from exc
        return descriptor

    def _open(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _unusable(self, exc: OSError) -> EmbeddedRedisError:
        return EmbeddedRedisError(
            f"a Redis of our own keeps its files in {self.folder} (CENSUS_VAR), and that cannot be"
            f" written to: {exc.strerror or exc}"
        )
