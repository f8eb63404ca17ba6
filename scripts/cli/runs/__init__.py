"""A run in this process: a manifest, whole or some of its rows again, into lines."""

__all__: list[str] = []
