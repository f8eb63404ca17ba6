"""Tables: columns, cells, row groups."""
