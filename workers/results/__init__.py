"""Result files: the lines of a stream, a job or a run, read again from where they were kept."""

__all__: list[str] = []
