"""`scripts/fuzz.py`: some seconds of damaged files, and that it would see what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need
from imaging.header.walkers import WALKERS
from scripts import fuzz
from scripts.fuzzing import seeds, walking
from scripts.fuzzing.mutants import Mutants
from tests import samples

ROOT = Path(__file__).parents[2]
PNG = samples.SAMPLES["png-RGB"]
FACTS = ImageInfo("PNG", samples.SIZE, "RGB", 1, False, len(PNG))


def fuzzed(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    command = [sys.executable, "scripts/fuzz.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


def test_the_walker_takes_damaged_files() -> None:
    """Some thousand mutants of every sample: nothing raises, hangs, or is told otherwise."""
    said = fuzzed("--executions", "4000", "--seed", "1")
    assert said.stdout.startswith("4000 executions: "), said.stdout + said.stderr
    assert said.stdout.endswith("0 findings of 0 kinds\n")
    assert said.returncode == 0
    agreed = re.search(r"as Pillow says: (\d+)", said.stdout)
    assert agreed is not None
    assert int(agreed[1]) > 100


def test_the_pool_takes_damaged_files() -> None:
    """Some hundred at full depth: one outcome each, and every process answers at the end."""
    said = fuzzed("--pool", "--executions", "400", "--seed", "1")
    assert said.stdout.startswith("400 items: "), said.stdout + said.stderr
    good = re.search(r"\bok (\d+)", said.stdout)
    assert good is not None
    assert int(good[1]) > 50
    assert "every slot answers: True\n0 findings\n" in said.stdout
    assert said.returncode == 0


def test_time_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends by itself, however many executions are asked for."""
    asked = fuzz.options(["--executions", "1000000000", "--seconds", "0.2"])
    assert fuzz.Walker(asked, Mutants(1, [("png-RGB", PNG)])).run() == 0
    assert 0 < int(capsys.readouterr().out.split()[0]) < 1_000_000


def test_a_finding_is_told_and_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exit code 1, the mutant's number and its file, whole and made smaller."""
    monkeypatch.setattr(walking, "inspect", lambda *_, **__: Need(5, 5))
    asked = fuzz.options(["--executions", "30", "--save", str(tmp_path)])
    assert fuzz.Walker(asked, Mutants(1, [("png-RGB", PNG)])).run() == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("0 png-RGB: needs: asks for more than the whole file: ")
    assert said[-2:] == [
        "30 x png: needs: asks for more than the whole file",
        "30 findings of 1 kinds",
    ]
    whole = (tmp_path / "needs-png-0-1.bin").read_bytes()
    assert whole == Mutants(1, [("png-RGB", PNG)]).make(1)[1]


def test_formats_without_samples_are_named() -> None:
    """A misspelt format is no run without findings."""
    with pytest.raises(ValueError, match="there are avif, bmp, "):
        seeds.seeds(["jpg"])


def test_every_magic_of_the_walker_is_damaged() -> None:
    """A format that is plugged in comes with a sample, and with it is fuzzed."""
    files = [data for _, data in seeds.seeds()]
    missing = [magic for magic, _ in WALKERS if not any(data.startswith(magic) for data in files)]
    assert missing == []
    assert {seeds.format_of(name) for name, _ in seeds.seeds()} >= {"svg", "avif", "heif"}


def test_a_mutant_can_be_made_again() -> None:
    """The same seed and number make the same file, others another."""
    files = [("a", bytes(range(256))), ("b", b"RIFF" * 50)]
    made = [Mutants(7, files).make(number) for number in range(200)]
    assert [Mutants(7, files).make(number) for number in range(200)] == made
    assert len({data for _, data in made}) > 150
    assert [Mutants(8, files).make(number) for number in range(200)] != made


def test_a_sound_picture_is_no_finding() -> None:
    """Where all holds, nothing is found, and Pillow agrees."""
    assert walking.walk(PNG, 16)[0] is None
    assert walking.compare(PNG) == "PNG"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Need(5, 5), "needs"),
        (None, "type"),
        (ZeroDivisionError("no"), "raises"),
    ],
)
def test_a_wrong_answer_is_a_finding(
    answer: object, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walker that raises, or asks for more than there is, is caught at it."""

    def inspect(*_: object, **__: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(walking, "inspect", inspect)
    found, _ = walking.walk(PNG, 16)
    assert found is not None
    assert found.kind == kind


def test_a_slow_walker_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processor time counts, against a bound."""
    monkeypatch.setattr(walking, "SLOW_SECONDS", 0.0)
    found, seconds = walking.walk(PNG, 16)
    assert found is not None
    assert (found.kind, seconds > 0) == ("slow", True)


@pytest.mark.parametrize(
    ("told", "detail"),
    [
        (FACTS._replace(image_mode="RGBA"), "PNG image_mode"),
        (FACTS._replace(image_dimension=(1, 2)), "PNG image_dimension"),
        (FACTS._replace(orientation=6), "PNG orientation"),
        (FACTS._replace(animated=True), "PNG animated"),
        (Failure(ErrorCode.CORRUPT_IMAGE), "PNG"),
    ],
)
def test_facts_that_pillow_denies_are_a_finding(
    told: object, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another fact than Pillow's, or none at all for what it opens; a missing one is none."""
    monkeypatch.setattr(walking, "inspect", lambda *_, **__: told)
    found = walking.compare(PNG)
    assert isinstance(found, walking.Finding)
    assert found.detail == detail
    monkeypatch.setattr(walking, "inspect", lambda *_, **__: FACTS._replace(image_mode=None))
    assert walking.compare(PNG) == "PNG"


def test_parts_that_tell_otherwise_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """By ranges the same is told as of the whole."""
    monkeypatch.setattr(walking, "served", lambda *_, **__: FACTS._replace(orientation=3))
    found, _ = walking.walk(PNG, 16)
    assert found is not None
    assert (found.kind, found.detail) == ("parts", "facts")


def test_what_a_fault_does_not_need_is_left_out() -> None:
    """A finding is made as small as it stays one."""
    data = bytes(300) + b"fault" + bytes(500)
    assert walking.minimise(data, lambda shorter: b"fault" in shorter) == b"fault"
