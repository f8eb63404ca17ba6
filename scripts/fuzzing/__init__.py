"""What `scripts/fuzz.py` is made of: seeds, mutants of them, and what must hold of each."""

__all__: list[str] = []
