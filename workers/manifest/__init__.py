"""The list given → `Row`s, streaming: memory does not depend on how many there are.

`opening` finds what a name names: `files` below the data root, `web` and `s3` elsewhere
(`addresses` reads their URLs, `remote` is what they share); `spool` is a request body.
`inflate` opens gzip and zstd, `lines` and `json_array` cut, `kinds` tells how a manifest is
written, `tsv`, `csv_lines` and `ndjson` read one line as a row, `parquet` asks a process of its
own; `reading` is the whole of it.
"""

__all__: list[str] = []
