"""What a long run would take, from some of its rows."""

__all__: list[str] = []
