"""The `imagecensus` command: the census without a server, and with one."""

__all__: list[str] = []
