"""What the first bytes of a file tell of a picture: `inspect` answers facts, a `Need` or a failure.

Pure Python on untrusted bytes, without Pillow: bounded work, never an exception, fit for the event
loop. Every fact agrees with what Pillow says of the whole file, or is None.
"""

from imaging.header.pieces import Need
from imaging.header.walkers import count_frames, inspect

__all__ = ["Need", "count_frames", "inspect"]
