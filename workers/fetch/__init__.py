"""One URL → its head or its body, with manners: who may be dialled, when, and how often.

`guard` judges addresses, `session` owns the one ClientSession, `turns` decides whose turn it is,
`download` makes one attempt, `ranges` reads what an answer claims to be, `failures` turns what
the client library raises into one code of the closed set.
"""

__all__: list[str] = []
