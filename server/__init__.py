"""The HTTP door: `aiohttp.web` lives only here. `python -m server` opens it."""

__all__: list[str] = []
