"""The list given → `Row`s, streaming: memory does not depend on how many there are.

`lines` cuts bytes into lines and knows offsets, `rows` reads a line as a row, `inflate` opens
gzip, `files` and `spool` are where the bytes come from: below the data root, or a request body.
"""

__all__: list[str] = []
