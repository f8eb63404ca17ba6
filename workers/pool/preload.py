"""What the forkserver imports ahead, so that a child is born warm: pictures, nothing of the web.

Runs once in the forkserver, before anything is forked (and again, at no cost, in each child, in
case the forkserver could not find it). The server and the consumers never import it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

__all__: list[str] = []

# What asks a whole group for its end is the parent's to answer, and the forkserver ends with it.
# Children inherit this from their first instruction on; SIGTERM they take as others do, later.
_ASKING = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
for _number in _ASKING:
    signal.signal(_number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKING)  # the parent held them back until here

# One child per core already: more threads only fight, and their arenas and stacks count against
# the memory limit. Both are read when the library loads, so this stands before the imports.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

# onnxruntime reports to its maker, and keeps files to do so, unless it is told not to; a class of
# the operator's own may import it before ours does.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Of glibc: what a picture's buffers took is kept for the next one's, up to so much. Handing it back
# to the system and having it cleared again costs a tenth of decoding.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
with contextlib.suppress(AttributeError, OSError):  # another C library
    _libc = ctypes.CDLL(None)
    _libc.mallopt(_TRIM_THRESHOLD, 32 << 20)
    _libc.mallopt(_MMAP_THRESHOLD, 16 << 20)

from PIL import AvifImagePlugin, Image  # noqa: E402

import imaging.examine  # noqa: E402, F401

AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# All plugins, else each child imports them by itself at its first bad file.
Image.init()
