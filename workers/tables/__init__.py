"""Records as tables: Parquet and CSV, with the same typed columns whatever was asked for.

`columns` says which, `cells` reads them out of a record line, `writing` makes row groups of them as
lines come. pandas and pyarrow (extra `parquet`) are imported when a table is begun, not before.
"""

__all__: list[str] = []
