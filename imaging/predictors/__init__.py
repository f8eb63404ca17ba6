"""What is said of a batch of pictures: the predictors that come along, and how others are loaded.

`about` says which predictor is meant and what it is, without numpy; `loading` makes it ready;
`careful` asks it and lets a row that makes it fail cost only itself.
"""

__all__: list[str] = []
