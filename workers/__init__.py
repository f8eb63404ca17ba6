"""How work gets done: rows, downloads, the process pool, the pipeline from one to the other.

Knows the HTTP client and, later, the queue; never `aiohttp.web`. Importing this package imports
nothing else: pool children start from here and stay light.
"""

__all__: list[str] = []
