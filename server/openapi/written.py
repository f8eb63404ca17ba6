"""Values that may be written as text, in a query always, in JSON as well: patterns of such text."""

from __future__ import annotations

from imaging.predictors.about import MAX_SIDE
from server.openapi.shapes import BOOLEAN, Schema, told
from workers.asked import MAX_BATCH, MAX_TIMEOUT

__all__ = ["MATTE", "SIDES", "TRUTH", "UNTRUTH", "written"]

_YES = ("1", "on", "t", "true", "y", "yes")
_NO = ("0", "off", "f", "false", "n", "no")


def _any_case(words: tuple[str, ...]) -> str:
    """A pattern of these words, in small letters or large."""
    return "|".join(
        "".join(f"[{sign.upper()}{sign}]" if sign.isalpha() else sign for sign in word)
        for word in words
    )


def _up_to(most: int, least: int = 0) -> str:
    """A pattern of whole numbers from *least*, 0 or 1, up to *most*, zeros before them allowed."""
    digits = str(most)
    choices = [f"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    for at, digit in enumerate(map(int, digits)):
        low = 0 if at else 1
        if digit > low:
            rest = len(digits) - at - 1
            choices.append(
                f"{digits[:at]}[{low}-{digit - 1}]" + (f"[0-9]{{{rest}}}" if rest else "")
            )
    choices.append(digits)
    return f"0*(?:{'|'.join(choices if least else ['0', *choices])})"


_SIDE = _up_to(MAX_SIDE, 1)
_LEVEL = _up_to(255)
_HEX = "[0-9A-Fa-f]"
#: Seconds above 0.
_SECONDS = (
    rf"0*(?:[1-9][0-9]?|[1-5][0-9]{{2}})(?:\.[0-9]*)?|0*{MAX_TIMEOUT:.0f}(?:\.0*)?"
    r"|0*\.0*[1-9][0-9]*"
)

TRUTH: Schema = {
    "description": "true or false; also as text: `1`, `0`, `yes`, `no`, `on`, `off`",
    "anyOf": [
        BOOLEAN,
        {"enum": [0, 1]},
        {"type": "string", "pattern": f"^(?:{_any_case(_YES + _NO)})$"},
    ],
}
#: Where an option has no meaning and may only be said not to be wanted.
UNTRUTH: Schema = {
    "description": "streams only: here it may be given as false",
    "anyOf": [
        {"enum": [False, 0]},
        {"type": "string", "pattern": f"^(?:{_any_case(_NO)})$"},
    ],
}
_SIDE_NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_SIDE}
_SIDES_TEXT: Schema = {
    "type": "string",
    "pattern": rf"^\s*{_SIDE}(?:\s*[x×,]\s*{_SIDE})?\s*$",
    "maxLength": 40,
}
SIDES: dict[bool, Schema] = {
    True: {**_SIDES_TEXT, "description": "as 224x160, or a number for both sides"},
    False: {
        "description": "[width, height], a number for both, or text as 224x160",
        "anyOf": [
            {"type": "array", "items": _SIDE_NUMBER, "minItems": 2, "maxItems": 2},
            _SIDE_NUMBER,
            _SIDES_TEXT,
            {"type": "null"},
        ],
    },
}
_COLOURS = _any_case(("white", "black", "grey", "gray"))
_MATTE_TEXT: Schema = {
    "type": "string",
    "pattern": rf"^\s*(?:#?(?:{_HEX}{{3}}|{_HEX}{{6}})|{_COLOURS}"
    rf"|{_LEVEL}\s*,\s*{_LEVEL}\s*,\s*{_LEVEL})\s*$",
}
MATTE: dict[bool, Schema] = {
    True: {**_MATTE_TEXT, "description": "#rrggbb, fff, 255,255,255, white, black or grey"},
    False: {
        "description": "the colour: #rrggbb, fff, [255, 255, 255], white, black or grey",
        "anyOf": [
            _MATTE_TEXT,
            {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 255},
                "minItems": 3,
                "maxItems": 3,
            },
        ],
    },
}
_NUMBERS = {
    "batch_size": _up_to(MAX_BATCH),
    "limit": "0*[0-9]{1,18}",
    "thumbnail": _up_to(256, 1),
    "timeout": _SECONDS,
}


def written(name: str, schema: Schema) -> Schema:
    """The schema of an option that is a number: as it is, or as text."""
    sentence = schema.get("description", "")
    bare = {key: value for key, value in schema.items() if key not in ("description", "default")}
    kinds = bare.pop("anyOf", [bare])
    text = {"type": "string", "pattern": f"^(?:{_NUMBERS[name]})$"}
    default = {key: value for key, value in schema.items() if key == "default"}
    return told({"anyOf": [*kinds, text], **default}, f"{sentence}; also as text")
