"""The numbers of a process: counted as cheaply as can be where the work is done, read when asked.

`instruments` are what rows are counted and timed by, handed to whatever does the work; `of_engine`
and `of_queue` make metrics of them, and of what Redis has; `registry` puts a process's together,
`listening` serves a consumer's. All of it belongs to one event loop; a thread may read beside it.
"""

__all__: list[str] = []
