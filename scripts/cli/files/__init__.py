"""Files of lines and of tables: written by a run, read again, checked, converted."""

__all__: list[str] = []
