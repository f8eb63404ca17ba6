"""Entries of the intake, as people write them with redis-cli: read, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.jobs import keys
from workers.jobs.fields import MAX_IMAGES, BadEntry, Cancel, Job, parse_entry, raw_text
from workers.manifest.objects import MAX_INLINE_ROWS
from workers.options import Depth, InfoOptions

ROOT = Path("/srv/manifests")
KIND = "images_info"


def parse(*parts: str | bytes, root: Path = ROOT) -> Job | Cancel:
    """What `XADD census:jobs * parts…` asks for."""
    flat = [part.encode() if isinstance(part, str) else part for part in parts]
    return parse_entry(dict(zip(flat[::2], flat[1::2], strict=True)), root)


def parse_job(*parts: str | bytes) -> Job:
    """The same, of a job."""
    asked = parse("kind", KIND, *parts)
    assert isinstance(asked, Job)
    return asked


def refused(*parts: str | bytes) -> str:
    """The sentence an entry is refused with; no more than a person reads."""
    with pytest.raises(BadEntry) as caught:
        parse(*parts)
    told = str(caught.value)
    assert 0 < len(told) <= 1000
    return told


def test_the_least_an_entry_says() -> None:
    """A kind and a manifest; the rest is as always."""
    job = parse_job("filepath", "monday/list.tsv")
    assert job == Job(KIND, InfoOptions(), "monday/list.tsv")
    assert (job.manifest, job.manifest_kind) == ("monday/list.tsv", "tsv")
    assert job.head() == {
        "kind": KIND,
        "manifest": "monday/list.tsv",
        "options": orjson.dumps(InfoOptions().json()),
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("depth", "full", Depth.FULL),
        ("depth", "header", Depth.HEADER),
        ("limit", "5", 5),
        ("limit", "0", 0),
        ("limit", str(2**63 - 1), 2**63 - 1),
        ("timeout", "2.5", 2.5),
        ("timeout", "3", 3.0),
        ("thumbnail", "64", 64),
        ("extra", "1", True),
        ("extra", "true", True),
        ("extra", "0", False),
        ("extra", "false", False),
    ],
)
def test_options_are_text(name: str, text: str, value: object) -> None:
    """As they come from a command line."""
    assert getattr(parse_job("filepath", "a.tsv", name, text).options, name) == value


def test_a_thumbnail_needs_the_whole_picture() -> None:
    """As in a request."""
    assert parse_job("filepath", "a.tsv", "thumbnail", "9").options.depth is Depth.FULL


JOBS = [
    Job(KIND, InfoOptions(), "a.tsv"),
    Job(KIND, InfoOptions(Depth.FULL, False, 7, 2.5, 64, True), "a b/ä.csv.gz"),
    Job(KIND, InfoOptions(limit=0, extra=True), upload=f"{'0f' * 16}.parquet"),
    Job(KIND, InfoOptions(timeout=0.001), images=["http://h/1", {"id": "ü", "url": None}, 7]),
    Job(KIND, InfoOptions(), images=[]),
]


@pytest.mark.parametrize("job", JOBS)
def test_a_job_reads_what_it_wrote(job: Job) -> None:
    """Entry and back."""
    entry = job.entry()
    flat = [part for pair in entry.items() for part in pair]
    assert parse(*flat) == job


def test_how_an_upload_is_written_is_in_its_name() -> None:
    """Which no client gave."""
    assert parse_job("upload", f"{'0f' * 16}.ndjson").manifest_kind == "ndjson"


def test_a_cancellation() -> None:
    """Of a job by its id."""
    assert parse("kind", "cancel", "job", "1763848000000-0") == Cancel("1763848000000-0")


NOT_ENTRIES: list[tuple[str, tuple[str | bytes, ...]]] = [
    ("field kind", ()),
    ("field kind", ("foo", "bar")),
    ("field kind", ("", "")),
    ("field kind", ("KIND", KIND, "filepath", "a.tsv")),
    ("kind 'images'", ("kind", "images", "filepath", "a.tsv")),
    ("kind ''", ("kind", "", "filepath", "a.tsv")),
    ("kind 'xxx", ("kind", "x" * 100_000, "filepath", "a.tsv")),
    ("xff", (b"\xff\xfe", "x", "kind", KIND)),
    ("'filepath'", ("kind", KIND, "filepath", b"\xff.tsv")),
    ("'kind'", ("kind", b"\xff")),
    ("is not UTF-8", (b"\xff" * 100_000, "x")),
    ("fields; no request", tuple(str(n) for n in range(20_000))),
    ("filepath or images", ("kind", KIND)),
    ("only one of them", ("kind", KIND, "filepath", "a.tsv", "upload", "0f" * 16 + ".tsv")),
    ("images, not both", ("kind", KIND, "filepath", "a.tsv", "images", "[]")),
    ("colour: there is no such option", ("kind", KIND, "filepath", "a.tsv", "colour", "red")),
    ("job: there is no such option", ("kind", KIND, "filepath", "a.tsv", "job", "1-0")),
    ("depth:", ("kind", KIND, "filepath", "a.tsv", "depth", "deep")),
    ("limit:", ("kind", KIND, "filepath", "a.tsv", "limit", "-1")),
    ("limit:", ("kind", KIND, "filepath", "a.tsv", "limit", "many")),
    ("limit:", ("kind", KIND, "filepath", "a.tsv", "limit", str(2**63))),
    ("limit:", ("kind", KIND, "filepath", "a.tsv", "limit", "9" * 40)),
    ("limit:", ("kind", KIND, "filepath", "a.tsv", "limit", "9" * 5000)),
    ("limit:", ("kind", KIND, "filepath", "a.tsv", "limit", "")),
    ("timeout:", ("kind", KIND, "filepath", "a.tsv", "timeout", "nan")),
    ("timeout:", ("kind", KIND, "filepath", "a.tsv", "timeout", "0")),
    ("timeout:", ("kind", KIND, "filepath", "a.tsv", "timeout", "1e999")),
    ("thumbnail:", ("kind", KIND, "filepath", "a.tsv", "thumbnail", "257")),
    ("extra:", ("kind", KIND, "filepath", "a.tsv", "extra", "perhaps")),
    ("ordered:", ("kind", KIND, "filepath", "a.tsv", "ordered", "1")),
    ("ordered:", ("kind", KIND, "filepath", "a.tsv", "ordered", "maybe")),
    ("changes:", ("kind", KIND, "filepath", "a.ndjson", "changes", "1")),
    ("filepath:", ("kind", KIND, "filepath", "")),
    ("filepath:", ("kind", KIND, "filepath", "/")),
    ("filepath:", ("kind", KIND, "filepath", "a\0b")),
    ("filepath:", ("kind", KIND, "filepath", "../x")),
    ("filepath:", ("kind", KIND, "filepath", "a/../../x")),
    ("filepath:", ("kind", KIND, "filepath", ".uploads/" + "0f" * 16 + ".tsv")),
    ("filepath:", ("kind", KIND, "filepath", "a/.hidden")),
    ("filepath: '/etc/passwd' is not below", ("kind", KIND, "filepath", "/etc/passwd")),
    ("filepath:", ("kind", KIND, "filepath", "/srv/manifestsx/a.tsv")),
    ("filepath:", ("kind", KIND, "filepath", "/srv/manifests")),
    ("filepath:", ("kind", KIND, "filepath", "/" + "x" * 100_000)),
    ("upload:", ("kind", KIND, "upload", "../" + "0f" * 16 + ".tsv")),
    ("upload:", ("kind", KIND, "upload", "0f" * 16 + ".tsv\n")),
    ("upload:", ("kind", KIND, "upload", "0f" * 16 + ".exe")),
    ("upload:", ("kind", KIND, "upload", "")),
    ("images: not JSON", ("kind", KIND, "images", "")),
    ("images: not JSON", ("kind", KIND, "images", "[NaN]")),
    ("images: not JSON", ("kind", KIND, "images", "http://h/1.jpg")),
    ("images:", ("kind", KIND, "images", "[" * 10_000)),
    ("images: larger", ("kind", KIND, "images", "[" * 1_000_000)),
    ("images: larger", ("kind", KIND, "images", '"' + "x" * MAX_IMAGES + '"')),
    ("images: give a JSON array", ("kind", KIND, "images", '{"url":"http://h/1"}')),
    ("images: give a JSON array", ("kind", KIND, "images", "null")),
    ("images: more than", ("kind", KIND, "images", f"[{'1,' * MAX_INLINE_ROWS}1]")),
    ("cancel: give job", ("kind", "cancel")),
    ("cancel: give job", ("kind", "cancel", "job", "")),
    ("cancel: give job", ("kind", "cancel", "job", "../../etc")),
    ("cancel: give job", ("kind", "cancel", "job", "1763848000000")),
    ("cancel: give job", ("kind", "cancel", "job", "1-0 ")),
    ("cancel: give job", ("kind", "cancel", "job", "01-0")),
    ("cancel: give job", ("kind", "cancel", "job", f"{2**64}-0")),
    ("cancel takes no field 'filepath'", ("kind", "cancel", "job", "1-0", "filepath", "a.tsv")),
]


@pytest.mark.parametrize(("sentence", "parts"), NOT_ENTRIES)
def test_what_is_no_request_is_refused_by_name(
    sentence: str, parts: tuple[str | bytes, ...]
) -> None:
    """The sentence names the field."""
    assert sentence in refused(*parts)


@pytest.mark.parametrize(
    "path", ["a.tsv", "/srv/manifests/a/b.tsv", "a//b.tsv", "/srv/manifests/ä"]
)
def test_paths_below_the_root(path: str) -> None:
    """Relative or absolute; whether the file is there is seen when it is read."""
    assert parse_job("filepath", path).filepath == path


def test_the_root_of_the_system_may_be_the_root() -> None:
    """Then every absolute path is below it."""
    job = parse("kind", KIND, "filepath", "/a/b.tsv", root=Path("/"))
    assert isinstance(job, Job)


def test_names_may_have_blanks_about_them() -> None:
    """As they come out of scripts."""
    assert parse_job("filepath ", "a.tsv").filepath == "a.tsv"


def test_raw_text_is_bounded() -> None:
    """A person reads it: printable, and cut where it is long."""
    assert raw_text({b"foo": b"bar", b"": b""}) == "foo bar;  "
    huge = {b"x" * 10**6: b"\xff" * 10**6, **{b"%d" % n: b"v" for n in range(10_000)}}
    told = raw_text(huge)
    assert len(told) < 3000
    assert "(1000000 bytes)" in told
    assert "… 9985 more fields" in told
    assert "\\xff" in told
    raw_text({b"\xf0\x9f": bytes(range(256))}).encode()


words = st.sampled_from(
    [
        *(b"kind", b"filepath", b"images", b"upload", b"depth", b"limit", b"timeout", b"extra"),
        *(
            b"thumbnail",
            b"ordered",
            b"job",
            b"images_info",
            b"cancel",
            b"full",
            b"1",
            b"[]",
            b"1-0",
        ),
        *(
            b"batch_predict",
            b"batch_size",
            b"size",
            b"224x224",
            b"pixels",
            b"npy",
            b"matte",
            b"white",
        ),
        *(b"predictor", b"fit", b"pad", b"filter", b"box", b"7"),
        *(b'["http://h/1"]', b"a.tsv", b"..", b"/", b"[[1e999]]", b"0f" * 16 + b".tsv"),
    ]
)


@given(
    st.dictionaries(words | st.binary(max_size=40), words | st.binary(max_size=200), max_size=40)
)
def test_any_fields_are_a_request_or_refused(fields: dict[bytes, bytes]) -> None:
    """Nothing else comes of them, and what is kept of them is short text."""
    assert len(raw_text(fields).encode()) < 16 * 2 * 2000
    try:
        asked = parse_entry(fields, ROOT)
    except BadEntry as exc:
        assert 0 < len(str(exc)) <= 1000  # noqa: PT017 - what else it may be is the point
        str(exc).encode()
        return
    if isinstance(asked, Job):
        again = [part for pair in asked.entry().items() for part in pair]
        assert parse(*again) == asked
    else:
        assert keys.is_job_id(asked.job)
