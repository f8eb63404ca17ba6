"""What a picture is: plain functions on bytes and arrays.

Standard library, Pillow and numpy only; no clocks, no sockets, no event loop. `header` is pure
Python and safe on untrusted bytes in the event loop; `decode`, `measure` and `examine` touch C
decoders and run in the process pool.
"""

__all__: list[str] = []
