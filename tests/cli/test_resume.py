"""`--resume`: whatever cut a run, its file is gone on with, and every row is in it once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.asserts import eventually
from tests.cli.asking import KEY, ask
from tests.cli.programs import Told, answers, count, lines_of, started, summed, whole_file
from tests.picture_hosts import PictureHost
from workers.lines import encode_line, start_line

ROWS = 12

Rows = list[tuple[str, str]]


@pytest.fixture(scope="module")
def rows(picture_host: PictureHost) -> Rows:
    """Ids and URLs; the fourth is not there."""
    paths = [f"resumed/{row}" if row != 3 else "status/404/" for row in range(ROWS)]
    return [(f"ü{row}", f"{picture_host}/{path}") for row, path in enumerate(paths)]


@pytest.fixture
def manifest(tmp_path: Path, rows: Rows) -> Path:
    """A list of them."""
    return written(tmp_path / "images.tsv", rows)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> bytes:
    """What a run that nothing cut writes."""
    folder = tmp_path_factory.mktemp("whole")
    out = folder / "out.ndjson"
    told = count("info", written(folder / "images.tsv", rows), "-o", out, "--ordered")
    assert told.code == 0
    return out.read_bytes()


def written(path: Path, rows: Rows) -> Path:
    """A manifest of *rows*."""
    path.write_text("".join(f"{name}\t{url}\n" for name, url in rows), encoding="utf-8")
    return path


def resumed(manifest: Path, out: Path, *more: str) -> Told:
    """Go on with *out*."""
    return count("info", manifest, "-o", out, "--resume", *more)


def begun(whole: bytes, manifest: Path, **options: Any) -> bytes:
    """*whole* as a run over *manifest* would have begun it: with the stamp of that file."""
    first, _, rest = whole.partition(b"\n")
    start = json.loads(first)
    found = manifest.stat()
    start |= {
        "manifest": str(manifest),
        "manifest_stamp": f"{found.st_mtime_ns}:{found.st_size}",
        "manifest_bytes": found.st_size,
    }
    start["options"] |= options
    return encode_line(start) + rest


def test_a_file_cut_at_any_byte(whole: bytes, manifest: Path) -> None:
    """Rows that have their record are not asked for again; what was torn is."""
    out = manifest.with_name("out.ndjson")
    text = begun(whole, manifest)
    start = text.index(b"\n") + 1
    second = text.index(b"\n", start) + 1
    summary = text.rindex(b"\n", 0, -1) + 1
    letter = text.index("ü".encode(), second) + 1  # within a letter
    places = [0, 1, start - 1, start, start + 1, second - 1, second, letter]
    places += [len(text) // 2, summary - 1, summary, summary + 1, len(text) - 1]
    for place in places:
        out.write_bytes(text[:place])
        told = resumed(manifest, out)

        assert told.code == 0, told.err
        lines = whole_file(out, ROWS)
        kept = text[: max(0, text.rfind(b"\n", 0, place) + 1)]
        assert out.read_bytes().startswith(kept[:summary])
        assert lines[-1]["manifest_sha256"] == json.loads(text[summary:])["manifest_sha256"]


@pytest.mark.parametrize("tail", [b"\0" * 4096, b'{"type":"image","ind\xc3\n', b"\0\0\n"])
def test_rubbish_at_the_end(whole: bytes, manifest: Path, tail: bytes) -> None:
    """As a machine that lost its power leaves it, also behind the beginning of a first line."""
    out = manifest.with_name("out.ndjson")
    text = begun(whole, manifest)
    for head in (text[:700], text[: text.index(b"\n", 700) + 1], text[:20], text):
        if head == text[:20] and tail.endswith(b"\n"):
            continue  # that is no beginning of ours
        if not head.endswith(b"\n"):
            out.write_bytes(head + tail.rstrip(b"\n"))
        else:
            out.write_bytes(head + tail)
        assert resumed(manifest, out).code == 0
        whole_file(out, ROWS)


def test_a_whole_file_is_left_as_it_is(whole: bytes, manifest: Path) -> None:
    """Not a byte changes; a manifest that was only touched is the same one."""
    out = manifest.with_name("out.ndjson")
    out.write_bytes(begun(whole, manifest))
    before = out.read_bytes()
    for step in (lambda: None, manifest.touch, lambda: None):
        step()
        told = resumed(manifest, out)
        assert (told.code, told.err) == (
            0,
            f"{out} is complete: {ROWS} rows, nothing is left to do\n",
        )
        assert out.read_bytes() == before
    assert resumed(manifest, out, "--quiet").err == ""
    assert resumed(manifest, out, "--limit", "100").code == 0
    assert out.read_bytes() == before


def test_a_file_is_not_written_over(whole: bytes, manifest: Path) -> None:
    """Without `--resume` one that is there is refused; so is a run into what is read."""
    out = manifest.with_name("out.ndjson")
    out.write_bytes(whole)
    told = count("info", manifest, "-o", out)
    assert (told.code, told.err) == (
        2,
        f"{out} is there already: --resume goes on with it, or name another\n",
    )
    told = resumed(out, out)
    assert told.code == 2
    assert "is what is read: name another file" in told.err
    assert out.read_bytes() == whole


def test_a_summary_that_says_too_much(whole: bytes, manifest: Path) -> None:
    """A row that somebody took out of the file is asked for."""
    lines = begun(whole, manifest).splitlines(keepends=True)
    out = manifest.with_name("out.ndjson")
    out.write_bytes(b"".join([*lines[:4], *lines[5:]]))
    assert resumed(manifest, out).code == 0
    whole_file(out, ROWS)


def test_a_stream_of_a_server(whole: bytes, manifest: Path, rows: Rows) -> None:
    """Its progress lines are dropped, its cancelled rows asked for; it may have been cut too."""
    options = json.loads(whole.partition(b"\n")[0])["options"]
    records = whole.splitlines(keepends=True)[1:-1]
    stopped = json.loads(records[5]) | {"image_info": None, "fetch": None}
    stopped["error"] = {"code": "cancelled", "stage": "control", "message": "", "retryable": True}
    progress = b'{"type":"progress","done":1,"failed":0,"cursor":"5-1"}\n'
    summary = encode_line({"type": "summary", "rows": 9, "complete": False, "reason": "draining"})
    for job in (None, "17-0"):
        start = start_line(kind="images_info", manifest="given", options=options, job=job)
        head = [start, *records[:2], progress, *records[2:5], encode_line(stopped), progress]
        for tail in (summary, b"", summary[:9], records[7] + summary):
            out = manifest.with_name("out.ndjson")
            out.write_bytes(b"".join([*head, tail]))
            assert resumed(manifest, out).code == 0
            lines = whole_file(out, ROWS)
            assert (lines[0]["job"], lines[0]["manifest"]) == (job, "given")
            by_index = {row["index"]: row for row in answers(lines)}
            assert by_index[stopped["index"]].get("error", {}).get("code") != "cancelled"


def test_a_whole_answer_of_a_job(whole: bytes, manifest: Path) -> None:
    """With its progress lines it is left as it is."""
    options = json.loads(whole.partition(b"\n")[0])["options"]
    start = start_line(kind="images_info", manifest="given", options=options, job="5-0")
    _, *records, summary = whole.splitlines(keepends=True)
    progress = b'{"type":"progress","done":1,"failed":0,"cursor":"5-1"}\n'
    text = b"".join([start, *records[:6], progress, *records[6:], progress, summary])
    out = manifest.with_name("out.ndjson")
    out.write_bytes(text)
    assert resumed(manifest, out).code == 0
    assert out.read_bytes() == text


def test_a_row_recorded_twice(whole: bytes, manifest: Path) -> None:
    """Is in it once then: as it stood first."""
    lines = begun(whole, manifest).splitlines(keepends=True)
    out = manifest.with_name("out.ndjson")
    out.write_bytes(b"".join([*lines[:5], lines[2], lines[3]]))
    assert resumed(manifest, out).code == 0
    whole_file(out, ROWS)
    assert out.read_bytes().startswith(b"".join(lines[:5]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: [*rows[:2], ("newer", rows[2][1]), *rows[3:]], "row 2 was 'ü2 http"),
        (lambda rows: rows[1:], "and 10 more rows differ"),
        (lambda rows: rows[:5], "7 recorded rows are not in it any more"),
        (lambda rows: [*rows, ("more", rows[0][1] + "x")], "had 12 rows and has 13"),
        (lambda rows: [*rows[:-1], (rows[-1][0], rows[-1][1] + "y")], " and is 'ü11 http"),
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_a_manifest_that_changed(
    whole: bytes, manifest: Path, rows: Rows, change: Callable[[Rows], Rows], told: str, cut: bool
) -> None:
    """Is refused with what changed, and nothing is touched; `--force` takes it as it is now."""
    out = manifest.with_name("out.ndjson")
    text = begun(whole, manifest)
    if cut:  # within the last record
        text = text[: text.rindex(b"\n", 0, -1) - 40]
        told = told.replace("7 recorded", "6 recorded")
    out.write_bytes(text)
    size = manifest.stat().st_size
    now = change(rows)
    written(manifest, now)

    refused = resumed(manifest, out)
    assert (refused.code, out.read_bytes()) == (2, text)
    assert f"{manifest} is not what {out} was begun with: it had {size:,} bytes" in refused.err
    assert (told in refused.err) == (not cut or not ("12 rows" in told or "ü11" in told))
    forced = resumed(manifest, out, "--force")
    assert forced.code == 0, forced.err
    assert "the manifest changed: it had" in forced.err
    found = answers(whole_file(out, len(now)))
    assert {(row["index"], row["id"], row["url"]) for row in found} == {
        (index, name, url) for index, (name, url) in enumerate(now)
    }
    assert resumed(manifest, out).err.endswith("nothing is left to do\n")


def test_files_of_one_size_and_one_second(whole: bytes, manifest: Path, rows: Rows) -> None:
    """The name counts as well: another list unpacked beside it is another list."""
    text = begun(whole, manifest)
    out = manifest.with_name("out.ndjson")
    out.write_bytes(text[: len(text) // 2])
    other = written(
        manifest.with_name("others.tsv"), [(name, url.replace("esu", "use")) for name, url in rows]
    )
    found = manifest.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))

    told = resumed(other, out)
    assert told.code == 2
    assert "row 0 was" in told.err or "rows differ" in told.err
    manifest.rename(manifest.with_name("moved.tsv"))
    assert resumed(manifest.with_name("moved.tsv"), out).code == 0
    whole_file(out, ROWS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"1\thttp://a.test/\n", "not a result file: its first line is not JSON"),
        (b"\x89PNG\r\n\x1a\n", "not a result file"),
        (b"PAR1" + bytes(500), "not a result file"),
        (b'{"url":"http://a.test/"}\n', "not a result file"),
        (b"\x1f\x8b\x08\0\0\0", "not a result file"),
        (b'{"type":"start","schema":2,"kind":"images_info"}\n', "another version"),
        (b'{"type":"start","schema":1,"kind":"images_info"}\n', "no options"),
        (b'{"type":"start","schema":1,"kind":"images_info","options":[]}\n', "no options"),
    ],
)
def test_another_file(manifest: Path, text: bytes, told: str) -> None:
    """Is refused, and left as it is."""
    out = manifest.with_name("out.ndjson")
    out.write_bytes(text)
    refused = resumed(manifest, out)
    assert (refused.code, out.read_bytes()) == (2, text)
    assert told in refused.err


def test_damage_in_the_middle(whole: bytes, manifest: Path) -> None:
    """Is told with the line, and left to whoever knows what it was."""
    text = begun(whole, manifest)
    lines = text.splitlines(keepends=True)
    out = manifest.with_name("out.ndjson")
    out.write_bytes(b"".join([*lines[:3], lines[3][:50] + b"\n", *lines[4:]]))
    before = out.read_bytes()
    refused = resumed(manifest, out)
    assert (refused.code, out.read_bytes()) == (2, before)
    assert f"{out}: line 4: not JSON" in refused.err
    assert "it is left as it is" in refused.err


def test_what_is_no_file(manifest: Path) -> None:
    """A folder, a pipe, a device, a link to nothing, a folder that is not there."""
    folder = manifest.parent
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(folder / "nothing")
    for name, told in (
        ("folder", "Is a directory"),
        ("pipe", "is no regular file"),
        ("/dev/null", "is no regular file"),
        ("link", "No such file"),
        ("nowhere/out.ndjson", "No such file"),
        ("images.tsv/out.ndjson", "Not a directory"),
        ("a" * 300, "File name too long"),
    ):
        refused = resumed(manifest, folder / name)
        assert refused.code == 2
        assert told in refused.err
        assert count("info", manifest, "-o", folder / name).code == 2
    assert sorted(entry.name for entry in folder.iterdir()) == [
        *("folder", "images.tsv", "link", "pipe")
    ]


def test_a_link_to_a_result_file(whole: bytes, manifest: Path) -> None:
    """Is followed, and stays a link, also where the file is written anew."""
    (kept := manifest.parent / "kept").mkdir()
    text = begun(whole, manifest)
    (kept / "out.ndjson").write_bytes(text[: len(text) // 2] + b"\n")
    link = manifest.with_name("out.ndjson")
    link.symlink_to(kept / "out.ndjson")
    manifest.write_bytes(manifest.read_bytes() + b"more\thttp://127.0.0.1:1/\n")

    assert resumed(manifest, link, "--force").code == 0
    assert link.is_symlink()
    whole_file(kept / "out.ndjson", ROWS + 1)
    assert [entry.name for entry in kept.iterdir()] == ["out.ndjson"]


def test_other_options(whole: bytes, manifest: Path) -> None:
    """Such as would make other records are refused; those that were left out are as they were."""
    out = manifest.with_name("out.ndjson")
    text = begun(whole, manifest, extra=True)
    text = text[: len(text) // 2]
    out.write_bytes(text)
    for option, told in (
        (("--depth", "full"), "was begun with depth 'header', not 'full'"),
        (("--thumbnail", "64"), "was begun with thumbnail None, not 64"),
        (("--changes",), "was begun with changes False, not True"),
    ):
        refused = resumed(manifest, out, *option)
        assert (refused.code, out.read_bytes()) == (2, text)
        assert told in refused.err
    refused = count("predict", manifest, "-o", out, "--resume")
    assert (refused.code, out.read_bytes()) == (2, text)
    assert "holds images_info, not batch_predict" in refused.err
    assert resumed(manifest, out, "--depth", "header", "--timeout", "9", "--ordered").code == 0
    rows = answers(whole_file(out, ROWS))
    assert ["extra" in row for row in rows] == [row >= text.count(b"\n") - 1 for row in range(ROWS)]


def test_more_rows_than_the_limit_was(manifest: Path) -> None:
    """It may be raised, or left out; the first line says which it was last."""
    out = manifest.with_name("out.ndjson")
    assert count("info", manifest, "-o", out, "--limit", "4").code == 0
    assert whole_file(out, 4)[0]["options"]["limit"] == 4
    before = out.read_bytes()
    assert "nothing is left" in resumed(manifest, out, "--limit", "4").err
    refused = resumed(manifest, out, "--limit", "2")
    assert (refused.code, out.read_bytes()) == (2, before)
    assert f"{out} has rows beyond the first 2: raise --limit" in refused.err

    assert resumed(manifest, out, "--limit", "9").code == 0
    assert whole_file(out, 9)[0]["options"]["limit"] == 9
    assert "nothing is left" in resumed(manifest, out, "--limit", "9").err
    assert resumed(manifest, out).code == 0
    assert whole_file(out, ROWS)[0]["options"]["limit"] is None


def test_a_limit_does_not_make_a_cut_run_complete(whole: bytes, manifest: Path) -> None:
    """What it left out is asked for when it is gone on with without."""
    out = manifest.with_name("out.ndjson")
    text = begun(whole, manifest)
    out.write_bytes(b"".join(text.splitlines(keepends=True)[:3]))
    assert resumed(manifest, out, "--limit", "6").code == 0
    whole_file(out, 6)
    assert resumed(manifest, out).code == 0
    whole_file(out, ROWS)


def test_in_order(manifest: Path) -> None:
    """A file that was begun in order is in order."""
    out = manifest.with_name("out.ndjson")
    assert count("info", manifest, "-o", out, "--ordered").code == 0
    text = out.read_bytes()
    for place in (len(text) // 3, len(text) // 2):
        out.write_bytes(text[:place])
        assert resumed(manifest, out, "--ordered").code == 0
        assert [row["index"] for row in answers(whole_file(out, ROWS))] == list(range(ROWS))


def test_whole_batches(tmp_path: Path, rows: Rows) -> None:
    """Are kept as they are, or asked for again as a whole; so is a last one that was short."""
    manifest = written(tmp_path / "images.tsv", rows)
    out = tmp_path / "out.ndjson"
    options = ("--size", "8x8", "--batch-size", "5", "--predictor", "none", "--pixels", "npy")
    assert count("predict", manifest, "-o", out, *options, "--limit", "8").code == 0
    lines = lines_of(out)
    assert sorted(len(line["rows"]) for line in lines[1:-1]) == [3, 5]
    by_batch = {line["batch"]: line for line in lines[1:-1]}

    assert count("predict", manifest, "-o", out, *options, "--resume").code == 0
    lines = whole_file(out, ROWS)
    assert {line["batch"]: len(line["rows"]) for line in lines[1:-1]} == {0: 5, 1: 5, 2: 2}
    assert next(line for line in lines if line.get("batch") == 0) == by_batch[0]
    text = out.read_bytes()
    out.write_bytes(text[: text.index(b"\n", text.index(b"\n") + 1) + 300])
    told = count("predict", manifest, "-o", out, "--size", "9x9", "--resume")
    assert (told.code, "was begun with size [8, 8], not [9, 9]" in told.err) == (2, True)
    assert count("predict", manifest, "-o", out, "--resume").code == 0
    again = sorted(lines_of(out)[1:-1], key=lambda line: int(line["batch"]))
    assert again == sorted(lines[1:-1], key=lambda line: int(line["batch"]))


def test_a_name_that_is_no_unicode(tmp_path: Path, rows: Rows) -> None:
    """Of the manifest, and of the file."""
    manifest = written(tmp_path / "caf\udce9.tsv", rows)
    out = tmp_path / "caf\udce9.ndjson"
    assert count("info", manifest, "-o", out).code == 0
    assert count("info", manifest, "-o", out, "--resume").code == 0
    whole_file(out, ROWS)


def test_two_runs_into_one_file(picture_host: PictureHost, tmp_path: Path) -> None:
    """The second is refused while the first is at work, and the first does not notice."""
    manifest, out = tmp_path / "images.tsv", tmp_path / "out.ndjson"
    urls = [f"{picture_host}/slow/{5000 if row else 0}/two/{row}\n" for row in range(4)]
    manifest.write_text("".join(urls), encoding="utf-8")
    with started("info", manifest, "-o", out) as first:
        eventually(lambda: out.exists() and out.stat().st_size)
        for more in ((), ("--resume",), ("--resume", "--force")):
            told = count("info", manifest, "-o", out, *more)
            assert told.code == 2
            assert ("being written by another run" if more else "there already") in told.err
        told = count("info", out, "--only", "failed")
        assert (told.code, "being written by another run" in told.err) == (2, True)
        assert first.wait(60) == 0
    summed(lines_of(out))
    whole_file(out, 4)


def test_answers_of_a_server(
    url: str, submit: Callable[..., str], listed: Callable[..., Path], tmp_path: Path
) -> None:
    """A stream that was cut, and a job's results that were: both are gone on with here."""
    manifest, out = listed(90, "/served"), tmp_path / "out.ndjson"
    headers = {"Content-Type": "text/tab-separated-values", "Authorization": f"Bearer {KEY}"}
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    with closing(connection):
        asked = manifest.read_bytes()
        connection.request("POST", "/api/v1/images_info?timeout=9", asked, headers)
        stream = connection.getresponse().read()
    job = submit(manifest, "--wait")
    assert ask("results", job, "-o", out, server=url).returncode == 0
    for text in (stream, out.read_bytes()):
        for place in (len(text), len(text) * 2 // 3, len(text) // 5):
            out.write_bytes(text[:place])
            told = resumed(manifest, out)
            assert told.code == 0, told.err
            if place == len(text):
                assert out.read_bytes() == text
            else:
                assert whole_file(out, 90)[0] == json.loads(text.partition(b"\n")[0])
