"""Rows that are predicted together: who may be asked, with what, and what they say.

`predictors` knows who there is, `recipe` all that a batch depends on besides its rows; `assembly`
keeps rows until their batch is whole, `predicting` has it predicted, `records` is the line.
"""

__all__: list[str] = []
