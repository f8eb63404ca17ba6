"""Asking a server: jobs handed in, watched, their results fetched."""

__all__: list[str] = []
