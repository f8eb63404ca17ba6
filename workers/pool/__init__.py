"""The process pool: slots of one process each, for work that may not survive itself.

`pool` hands slots out, `slot` runs a chunk of items on one, `blame` finds the item that killed a
child, `supervisor` keeps a child there, `process` is one child seen from the parent, `child` is
what runs inside, `preload` what the fork server loads ahead. Children start from here: this
package imports nothing by itself.
"""

__all__: list[str] = []
