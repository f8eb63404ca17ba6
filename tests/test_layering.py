"""The staircase `server → workers → imaging`: every module stands alone, no arrow leads up."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("imaging", "workers", "server")
#: What a room must not know of, besides the rooms above it.
FOREIGN = {
    "imaging": ("aiohttp", "redis", "pydantic", "pydantic_settings", "asyncio"),
    "workers": ("aiohttp.web",),
    "server": (),
}
#: Large libraries, imported once before the forks: not our modules, but most of the time.
_OF_IMAGING = ("ctypes", "dataclasses", "numpy", "PIL.Image", "PIL.ImageFile", "PIL.ImageOps")
_OF_WORKERS = (
    *_OF_IMAGING,
    "aiohttp",
    "multiprocessing.forkserver",
    "multiprocessing.shared_memory",
    "orjson",
    "pillow_heif",
    "prometheus_client",
    "pydantic_settings",
    "redis.asyncio.cluster",
    "structlog",
    "zstandard",
)
LIBRARIES = {
    "imaging": _OF_IMAGING,
    "workers": _OF_WORKERS,
    "server": (*_OF_WORKERS, "aiohttp.web", "uvloop"),
}

#: Imports each module in a process of its own, forked from one that knows only what is named
#: first; says what came with it, or why it failed.
IMPORTER = """
import gc, importlib, json, os, sys, traceback
for name in sys.argv[1].split():
    importlib.import_module(name)
gc.disable()
gc.freeze()  # or each process copies all that is there
told = {}
for name in sys.argv[2:]:
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            importlib.import_module(name)
            said = {"modules": list(sys.modules)}
        except BaseException:
            said = {"failed": traceback.format_exc()}
        with os.fdopen(writer, "w") as pipe:
            json.dump(said, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told[name] = json.load(pipe)
    os.wait()
print(json.dumps(told))
"""


def files(*rooms: str) -> list[Path]:
    """Every Python file of these folders."""
    found = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    assert found
    return found


def module(path: Path) -> str:
    """The dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Every module a file names in an import, wherever in it that stands."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it leads"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def within(name: str, *packages: str) -> bool:
    """Whether *name* is one of *packages* or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_can_be_imported_first(room: str) -> None:
    """In a fresh interpreter, warnings being errors: no import needs another before it.

    And what it brings along is from its own floor or below; imaging knows no web and no Redis.
    Modules of the floors below stand there: each of them was tried as the first as well, and knows
    none of this floor.
    """
    names = [module(path) for path in files(room)]
    below = [module(path) for lower in ROOMS[: ROOMS.index(room)] for path in files(lower)]

    answer = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            IMPORTER,
            " ".join([*LIBRARIES[room], *below]),
            *names,
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=100,
    )

    above = ROOMS[ROOMS.index(room) + 1 :]
    told = json.loads(answer.stdout)
    assert list(told) == names
    for name, said in told.items():
        assert "failed" not in said, f"{name}\n{said['failed']}"
        unwanted = (*above, *FOREIGN[room], "scripts", "tests")
        assert [other for other in said["modules"] if within(other, *unwanted)] == [], name


@pytest.mark.parametrize("path", files(*ROOMS), ids=module)
def test_no_import_leads_up(path: Path) -> None:
    """By the text, so that a late import counts as well."""
    room = path.relative_to(ROOT).parts[0]
    above = ROOMS[ROOMS.index(room) + 1 :]
    unwanted = (*above, *FOREIGN[room], "scripts", "tests")

    assert [name for name in imported(path) if within(name, *unwanted)] == []


def test_setup_names_every_package() -> None:
    """A package missing there would be missing from what is installed."""
    there = {module(path) for path in files(*ROOMS, "scripts/cli") if path.name == "__init__.py"}
    (call,) = [
        node
        for node in ast.walk(ast.parse((ROOT / "setup.py").read_bytes()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "setup"
    ]
    (named,) = [keyword.value for keyword in call.keywords if keyword.arg == "packages"]

    packages = ast.literal_eval(named)

    assert sorted(packages) == sorted(there)
    for path in files(*ROOMS):
        assert (path.parent / "__init__.py").exists(), path
    for room in ROOMS:
        assert (ROOT / room / "py.typed").exists()
