"""Classes of a user's own, and the sentences for those that cannot be loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.predictors.about import CannotLoad, Kind, Layout, Spec
from imaging.predictors.careful import predict
from imaging.predictors.loading import Loaded, load
from tests.imaging.predictors.pictures import RED, flat, photographs

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where modules of the test's own are found."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def loaded(folder: Path, text: str, source: str = "{module}:Mine") -> Loaded:
    """Load from a module of that text; each has a name of its own."""
    module = f"own_{abs(hash((folder, text)))}"
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    return load(Spec("mine", source.format(module=module), Kind.CLASS))


def refused(folder: Path, text: str, source: str = "{module}:Mine") -> str:
    """The reason, without the source's name before it."""
    with pytest.raises(CannotLoad) as refusal:
        loaded(folder, text, source)
    found = str(refusal.value)
    assert len(found) <= 300
    return re.sub(r"^\w+:[\w.]+:? ", "", found)


PLAIN = """
class Mine:
    def __call__(self, batch, ids):
        return [f"{name} {batch.shape}" for name in ids]
"""


def test_plain_class(folder: Path) -> None:
    """Only a call: everything else has a default."""
    mine = loaded(folder, PLAIN)

    about = mine.about
    assert (about.name, about.version, about.size, about.layout) == (
        "mine",
        None,
        None,
        Layout.NCHW,
    )
    assert (about.labels, about.sha256, about.settings_sha256) == ((), None, None)
    assert (mine.predictor.name, mine.predictor.size) == ("mine", None)
    found = predict(mine.predictor, photographs(2, (5, 4)), ["a", "b"])
    assert found == ["a (2, 3, 4, 5)", "b (2, 3, 4, 5)"]


def test_class_that_says_what_it_is(folder: Path) -> None:
    """Its attributes, class's or object's; the name is the configured one."""
    text = PLAIN + (
        "    name, layout, labels = 'another', 'NHWC', ['a', 'b']\n"
        "    def __init__(self): self.size, self.version = [30, 20], '2.1'\n"
    )

    about = loaded(folder, text).about

    assert (about.name, about.version, about.size) == ("mine", "2.1", (30, 20))
    assert (about.layout, about.labels) == (Layout.NHWC, ("a", "b"))


def test_class_inside_another(folder: Path) -> None:
    """A dotted name, or a function that makes one."""
    inner = "class Outer:\n" + PLAIN.replace("\n", "\n    ")
    loaded(folder, inner, "{module}:Outer.Mine")
    loaded(folder, PLAIN + "def make(): return Mine()\n", "{module}:make")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no Mine in own_"),
        ("Mine = 3", "this is not a class"),
        ("class Mine: pass", "its objects cannot be called: it needs __call__(self, batch, ids)"),
        (
            "class Mine:\n def __init__(self, path): pass",
            "raised TypeError: Mine.__init__() missing",
        ),
        ("import no_such_thing", "raised ModuleNotFoundError: No module named 'no_such_thing'"),
        ("def f(:", "raised SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "raised ValueError: two lines"),
        ("raise ValueError('\\ud800' * 10000)", "raised ValueError: \\ud800"),
        (PLAIN + "    size = 64", "size is not (width, height) of 1 to 4096 pixels"),
        (PLAIN + "    size = (64, 0)", "size is not (width, height) of 1 to 4096 pixels"),
        (PLAIN + "    size = (64, 64.0)", "size is not (width, height) of 1 to 4096 pixels"),
        (PLAIN + "    size = (True, 64)", "size is not (width, height) of 1 to 4096 pixels"),
        (PLAIN + "    size = 'ab'", "size is not (width, height) of 1 to 4096 pixels"),
        (PLAIN + "    layout = 'CHW'", "layout is neither NCHW nor NHWC"),
        (PLAIN + "    layout = []", "layout is neither NCHW nor NHWC"),
        (PLAIN + "    labels = 'ab'", "labels is not a list of texts"),
        (PLAIN + "    labels = ['a', 1]", "labels is not a list of texts"),
        (PLAIN + "    labels = ['\\ud800']", "labels is not a list of texts"),
        (PLAIN + "    version = 1", "version is not a text"),
        (
            PLAIN + "    @property\n    def size(self): raise OSError('gone')",
            "raised OSError: gone",
        ),
    ],
)
def test_what_cannot_be_loaded(folder: Path, text: str, reason: str) -> None:
    """A sentence that says what to mend."""
    assert refused(folder, text).startswith(reason)


@pytest.mark.parametrize(
    "source", ["", "module", "module:", ":Class", "a b:C", "m:C()", "m::C", "../m:C"]
)
def test_sources_that_are_none(source: str) -> None:
    """Told before anything is imported."""
    with pytest.raises(CannotLoad, match="does not read module:Class"):
        load(Spec("mine", source, Kind.CLASS))


def test_missing_module() -> None:
    """Named with what Python says."""
    with pytest.raises(CannotLoad) as refusal:
        load(Spec("mine", "no_such_module_here:Mine", Kind.CLASS))
    assert str(refusal.value) == (
        "no_such_module_here:Mine raised ModuleNotFoundError: No module named 'no_such_module_here'"
    )


def test_unknown_built_in() -> None:
    """There are two."""
    with pytest.raises(CannotLoad, match="there is no predictor 'sharpness'"):
        load(Spec("sharpness", "", Kind.BUILT_IN))


@pytest.mark.parametrize("name", ["none", "appearance"])
def test_built_in(name: str) -> None:
    """They call themselves what they are called, and answer."""
    built_in = load(Spec(name, "", Kind.BUILT_IN))

    assert (built_in.about.name, built_in.predictor.name) == (name, name)
    assert len(predict(built_in.predictor, photographs(3), ["a", "b", "c"])) == 3


def test_documented_class_works(folder: Path) -> None:
    """The example of docs/predictors.md, as it can be pasted."""
    page = (ROOT / "docs" / "predictors.md").read_text(encoding="utf-8")
    example = re.search(r"```python [^\n]*\n(.*?)```", page, re.DOTALL)
    assert example is not None

    corners = loaded(folder, example[1], "{module}:Corners")

    batch = flat(RED, RED, size=(32, 32))
    batch[1, 1, 0, 0] = 9
    found: list[Any] = predict(corners.predictor, np.array(batch), ["a", "b"])
    assert corners.about.size == (32, 32)
    assert found == [{"same": True, "spread": 0}, {"same": False, "spread": 9}]
