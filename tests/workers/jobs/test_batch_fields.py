"""What an entry may ask of batches: read as people write it, or refused by the field's name."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from imaging.options import Filter, Fit
from tests.workers.jobs.test_fields import parse, refused
from workers.jobs.fields import Job
from workers.options import BatchOptions, Pixels

KIND = "batch_predict"
DOCUMENT = Path(__file__).parents[3] / "docs" / "redis.md"


def options(*parts: str) -> BatchOptions:
    """The options of an entry with these fields."""
    asked = parse("kind", KIND, "filepath", "a.tsv", *parts)
    assert isinstance(asked, Job)
    assert isinstance(asked.options, BatchOptions)
    return asked.options


def test_the_least_an_entry_says() -> None:
    """The rest is as over HTTP."""
    assert options() == BatchOptions()
    job = Job(KIND, BatchOptions(), "a.tsv")
    assert job.entry() == {"kind": KIND, "filepath": "a.tsv"}
    assert (job.batch_size, job.manifest) == (32, "a.tsv")
    assert orjson.loads(job.head()["options"]) == BatchOptions().json()


@pytest.mark.parametrize(
    ("parts", "chosen"),
    [
        (("batch_size", "5"), BatchOptions(5)),
        (("batch_size", "0"), BatchOptions(32)),
        (("batch_size", "1024"), BatchOptions(1024)),
        (("predictor", "none"), BatchOptions(predictor="none")),
        (("predictor", "whoever"), BatchOptions(predictor="whoever")),  # known where it is run
        (("size", "224x224"), BatchOptions(size=(224, 224))),
        (("size", "20x10"), BatchOptions(size=(20, 10))),
        (("size", "48"), BatchOptions(size=(48, 48))),
        (("fit", "pad", "matte", "black"), BatchOptions(fit=Fit.PAD, matte="#000000")),
        (("matte", "1,2,3"), BatchOptions(matte="#010203")),
        (("filter", "lanczos"), BatchOptions(filter=Filter.LANCZOS)),
        (("pixels", "npy"), BatchOptions(pixels=Pixels.NPY)),
        (("pixels", "list", "batch_size", "7"), BatchOptions(7, pixels=Pixels.LIST)),
        (("limit", "0", "extra", "1"), BatchOptions(limit=0, extra=True)),
        (("timeout", "2.5", "ordered", "0"), BatchOptions(timeout=2.5)),
    ],
)
def test_options_are_text_and_read_what_they_wrote(
    parts: tuple[str, ...], chosen: BatchOptions
) -> None:
    """From a command line, and through the entry of a job and back."""
    assert options(*parts) == chosen
    for job in (
        Job(KIND, chosen, "a b/ä.csv.gz"),
        Job(KIND, chosen, upload=f"{'0f' * 16}.parquet"),
        Job(KIND, chosen, images=["http://h/1", {"id": "ü", "url": None}, 7]),
    ):
        entry = job.entry()
        assert parse(*(part for pair in entry.items() for part in pair)) == job


def test_all_options_at_once() -> None:
    """Not one is lost on the way."""
    chosen = BatchOptions(
        *(9, "mine", (17, 31), Fit.CROP, "#102030", Filter.NEAREST, Pixels.LIST, False),
        *(12, 0.25, True),
    )
    plain = BatchOptions().json()
    assert [name for name, value in chosen.json().items() if value == plain[name]] == ["ordered"]
    job = Job(KIND, chosen, "a.tsv")
    assert parse(*(part for pair in job.entry().items() for part in pair)) == job
    assert job.entry()["size"] == "17x31"
    assert replace(job, options=BatchOptions()) != job


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("ordered: records of a job", ("ordered", "1")),
        ("depth: there is no such option", ("depth", "full")),
        ("thumbnail: there is no such option", ("thumbnail", "9")),
        ("colour: there is no such option", ("colour", "red")),
        ("size: ", ("size", "0x5")),
        ("size: ", ("size", "5x")),
        ("size: ", ("size", "-5x5")),
        ("size: ", ("size", "4097x1")),
        ("size: ", ("size", "[8, 8, 8]")),
        ("size: ", ("size", "²x²")),
        ("size: ", ("size", "")),
        ("size: ", ("size", "9" * 5000)),
        ("size: batch_size 1024 at size 4096x4096", ("size", "4096", "batch_size", "1024")),
        ("size: batch_size 32 at size 512x512", ("size", "512", "pixels", "npy")),
        ("batch_size: ", ("batch_size", "-1")),
        ("batch_size: ", ("batch_size", "1025")),
        ("batch_size: ", ("batch_size", "many")),
        ("predictor: ", ("predictor", "x" * 65)),
        ("fit: ", ("fit", "squeeze")),
        ("filter: ", ("filter", "best")),
        ("matte: ", ("matte", "reddish")),
        ("pixels: ", ("pixels", "yes")),
        ("limit: ", ("limit", "-1")),
        ("timeout: ", ("timeout", "nan")),
        ("body: give filepath or images, not both", ("images", "[]")),
    ],
)
def test_what_cannot_be_is_refused_by_name(sentence: str, parts: tuple[str, ...]) -> None:
    """The sentence begins with the field."""
    given = ("kind", KIND, "filepath", "a.tsv", *parts)
    assert refused(*given).startswith(sentence)


@pytest.mark.parametrize("name", ["size", "predictor", "pixels", "fit", "matte", "filter"])
def test_facts_have_no_options_of_batches(name: str) -> None:
    """But for `batch_size`, which older clients send along."""
    assert refused("kind", "images_info", "filepath", "a.tsv", name, "64").startswith(f"{name}: ")
    assert isinstance(parse("kind", "images_info", "filepath", "a.tsv", "batch_size", "9"), Job)


def test_the_documented_commands_are_jobs() -> None:
    """Those of docs/redis.md that ask for batches."""
    text = DOCUMENT.read_text(encoding="utf-8")
    commands = re.findall(r"XADD census:jobs (.* kind batch_predict .*)", text)
    assert commands
    for command in commands:
        asked = parse(*shlex.split(command)[1:])
        assert isinstance(asked, Job)
        assert isinstance(asked.options, BatchOptions)
        assert asked.options != BatchOptions()
