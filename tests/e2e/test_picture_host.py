"""The picture host, started as the process that tests, the demo and the benchmark start."""

import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

SCRIPTS = Path(__file__).parents[2] / "scripts"
PROGRAM = SCRIPTS / "picture_host.py"


class Got(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: Any
    body: bytes


class Running:
    """A host's process and what it said when it was ready."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.process = process
        self.ready = json.loads(process.stdout.readline())
        self.address = ("127.0.0.1", int(self.ready["url"].rpartition(":")[2]))

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Got:
        """One request on a connection of its own; `If_Range` is spelt `If-Range`."""
        connection = HTTPConnection(*self.address, timeout=5)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            answer = connection.getresponse()
            return Got(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def count(self) -> dict[str, Any]:
        """What the host counted since the last reset."""
        told: dict[str, Any] = json.loads(self.ask("/_count").body)
        return told

    def settle(self, **expected: int) -> None:
        """Ask for the counts until they are as expected: a close travels on its own time."""
        deadline = time.monotonic() + 5
        while (counted := self.count()) | expected != counted:
            assert time.monotonic() < deadline, counted

    @contextmanager
    def talk(self, sent: bytes, *, timeout: float = 5) -> Iterator[socket.socket]:
        """A bare connection on which `sent` was said."""
        with socket.create_connection(self.address, timeout=timeout) as talking:
            talking.sendall(sent)
            yield talking

    def say(self, sent: bytes) -> bytes:
        """Everything the host answers to `sent`, until it closes."""
        with self.talk(sent) as talking, talking.makefile("rb") as file:
            return file.read()


@contextmanager
def started(*options: str) -> Iterator[Running]:
    """A host in a process of its own; whatever happened to it, it is gone afterwards."""
    command = [sys.executable, str(PROGRAM), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures and two files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(("a.jpg", "b c.png", "ü.gif", "d.WEBP")):
        with Image.effect_mandelbrot((40 + number, 30), (-3, -2.5, 2, 2.5), 100) as drawn:
            drawn.save(folder / name)
    (folder / "notes.md").write_text("no picture")
    (folder / "list.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def process(folder: Path) -> Iterator[Running]:
    """A host of the folder."""
    with started("--folder", str(folder)) as running:
        yield running


@pytest.fixture
def host(process: Running) -> Running:
    """The same host, having forgotten the tests before."""
    process.ask("/_reset", method="POST")
    return process


@pytest.fixture
def whole(folder: Path) -> bytes:
    """The bytes of a.jpg."""
    return (folder / "a.jpg").read_bytes()


def head_and_body(answer: bytes) -> tuple[bytes, bytes]:
    """An answer as it came, cut at the empty line."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def test_only_the_pictures_of_a_folder_are_served(host: Running, folder: Path) -> None:
    """Any path answers with a picture; the header says which, and its bytes are the file's."""
    assert host.ready["pictures"] == 4
    answers = [host.ask(f"/row/{row}?v=1") for row in range(40)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["X-Picture"] for answer in answers} == {
        "a.jpg",
        "b%20c.png",
        "d.WEBP",
        "%C3%BC.gif",
    }
    for answer in answers:
        with Image.open(io.BytesIO(answer.body)) as opened:
            assert answer.headers["Content-Type"] == Image.MIME[opened.format or ""]
    named = host.ask("/by-name/b%20c.png?v=2")
    assert named.body == (folder / "b c.png").read_bytes()
    assert host.ask("/by-name/notes.md").status == 404


def test_made_pictures_are_the_same_ones_at_every_start() -> None:
    """Without a folder: what the process serves can be foretold by loading the module here."""
    spec = importlib.util.spec_from_file_location("made", SCRIPTS / "hosting" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = {picture.name: picture.data for picture in module.make(16)}
    with started("--made", "16") as host:
        for row in range(30):
            answer = host.ask(f"/{row}")
            name = module.choose(f"/{row}", sorted(made))
            assert answer.headers["X-Picture"] == name
            assert answer.body == made[name]
    formats, orientations = set(), set()
    for name, data in made.items():
        with Image.open(io.BytesIO(data)) as opened:
            opened.load()
            formats.add(opened.format)
            orientations.add(opened.getexif().get(0x0112, 1))
        if "fat" in name:
            assert data.find(b"\xff\xc0") > 16_384
    assert formats == {"JPEG", "PNG", "GIF", "WEBP"}
    assert orientations == {1, 3, 6}


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=5-5", 5, 6),
        ("bytes=100-", 100, None),
        ("bytes=-7", -7, None),
        ("bytes=-99999999", 0, None),
        ("bytes=10-99999999", 10, None),
    ],
)
def test_range_is_answered_with_that_part(
    host: Running, whole: bytes, asked: str, start: int, stop: int | None
) -> None:
    """206, the bytes, and where they stand in the whole."""
    answer = host.ask("/by-name/a.jpg", Range=asked)
    first, last, _ = slice(start, stop).indices(len(whole))
    assert answer.status == 206
    assert answer.body == whole[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=-", "bytes=0-1,3-4", "lines=0-1", "x"])
def test_what_is_no_single_range_gets_the_whole(host: Running, whole: bytes, asked: str) -> None:
    """A Range that cannot be read is ignored."""
    answer = host.ask("/by-name/a.jpg", Range=asked)
    assert (answer.status, answer.body) == (200, whole)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=99999999-999999999"])
def test_range_behind_the_end_is_refused_with_the_total(
    host: Running, whole: bytes, asked: str
) -> None:
    """416 says how long the picture is."""
    answer = host.ask("/by-name/a.jpg", Range=asked)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(whole)}"


def test_if_range_gets_the_part_only_of_the_same_picture(host: Running) -> None:
    """By entity tag or by date; another one gets the whole."""
    first = host.ask("/by-name/a.jpg", Range="bytes=0-3")
    for same in (first.headers["ETag"], first.headers["Last-Modified"]):
        assert host.ask("/by-name/a.jpg", Range="bytes=4-7", If_Range=same).status == 206
    for other in ('"another"', "Thu, 01 Jan 1970 00:00:00 GMT"):
        assert host.ask("/by-name/a.jpg", Range="bytes=4-7", If_Range=other).status == 200


def test_head_has_the_headers_and_no_body(host: Running, whole: bytes) -> None:
    """HEAD says the length; a Range means nothing to it."""
    answer = host.ask("/by-name/a.jpg", method="HEAD", Range="bytes=0-3")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(whole))
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_pipelined_requests_are_answered_in_order(host: Running, whole: bytes) -> None:
    """Also when the first one is late and a body stands between them."""
    late = b"GET /slow/30/by-name/a.jpg HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    soon = b"GET /status/404 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head, rest = head_and_body(host.say(late + soon))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest.startswith(whole)
    assert rest[len(whole) :].startswith(b"HTTP/1.1 404 Not Found\r\n")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/7.1\r\nHost: x\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /slow/soon/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ],
)
def test_nonsense_is_answered_with_400(host: Running, nonsense: bytes) -> None:
    """A greeting in TLS included: it must not wait for a line's end."""
    assert host.say(nonsense).startswith(b"HTTP/1.1 400 ")


def test_redirects_end_at_the_rest(host: Running) -> None:
    """n hops, one less each time; `redirect-to` goes anywhere."""
    path = "/redirect/2/cat.jpg?size=1"
    hops = []
    while (answer := host.ask(path)).status == 302:
        path = answer.headers["Location"]
        hops.append(path)
    assert hops == ["/redirect/1/cat.jpg?size=1", "/cat.jpg?size=1"]
    assert answer.body == host.ask("/cat.jpg?size=1").body
    away = host.ask("/redirect-to?url=https%3A%2F%2Fexample.org%2Fa%3Fb&status=307")
    assert (away.status, away.headers["Location"]) == (307, "https://example.org/a?b")


def test_a_page_and_an_empty_picture(host: Running) -> None:
    """A page is 200 whatever Range says; of nothing, no range can be had."""
    page = host.ask("/html/a", Range="bytes=0-9")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html")
    assert page.body.startswith(b"<!doctype html>")
    assert host.ask("/empty/a").body == b""
    refused = host.ask("/empty/a", Range="bytes=0-9")
    assert (refused.status, refused.headers["Content-Range"]) == (416, "bytes */0")


def test_flaky_and_retry_after_get_better(host: Running) -> None:
    """Each key has its own count, and a reset forgets them."""
    assert [host.ask("/flaky/2/a").status for _ in range(4)] == [503, 503, 200, 200]
    assert host.ask("/flaky/2/b").status == 503
    first = host.ask("/retry-after/7/a")
    assert (first.status, first.headers["Retry-After"]) == (429, "7")
    assert host.ask("/retry-after/7/a").status == 200
    host.ask("/_reset", method="POST")
    assert host.ask("/flaky/2/a").status == 503


def test_servers_that_do_not_know_ranges(host: Running, whole: bytes) -> None:
    """200 and the whole picture; with its length, until the close, or chunked."""
    sized = host.ask("/no-range/by-name/a.jpg", Range="bytes=0-9")
    assert (sized.status, sized.body) == (200, whole)
    assert sized.headers["Content-Length"] == str(len(whole))
    for prefix, framing in (("no-length", None), ("chunked", "chunked")):
        answer = host.ask(f"/{prefix}/by-name/a.jpg", Range="bytes=0-9")
        assert (answer.status, answer.body) == (200, whole)
        assert answer.headers["Content-Length"] is None
        assert answer.headers["Transfer-Encoding"] == framing


def test_servers_that_answer_ranges_wrongly(host: Running, whole: bytes) -> None:
    """No total, another offset, or a refusal that a request without Range does not meet."""
    no_total = host.ask("/no-total/by-name/a.jpg", Range="bytes=2-9")
    assert (no_total.status, no_total.headers["Content-Range"]) == (206, "bytes 2-9/*")
    shifted = host.ask("/wrong-offset/by-name/a.jpg", Range="bytes=0-9")
    assert shifted.headers["Content-Range"] == f"bytes 1-10/{len(whole)}"
    assert shifted.body == whole[1:11]
    for status in (400, 403, 416, 501):
        path = f"/refuse-range/{status}/by-name/a.jpg"
        assert host.ask(path, Range="bytes=0-9").status == status
        assert host.ask(path).body == whole


def test_truncated_body_ends_before_its_length(host: Running, whole: bytes) -> None:
    """Of the whole as of a part."""
    with pytest.raises(IncompleteRead) as caught:
        host.ask("/truncated/by-name/a.jpg")
    assert caught.value.partial == whole[: len(whole) // 2]
    with pytest.raises(IncompleteRead) as caught:
        host.ask("/truncated/by-name/a.jpg", Range="bytes=10-19")
    assert caught.value.partial == whole[10:15]


def test_stalled_body_stays_open_and_silent(host: Running, whole: bytes) -> None:
    """Half of it comes, then nothing, not even the end."""
    request = b"GET /stall/by-name/a.jpg HTTP/1.1\r\nHost: x\r\n\r\n"
    with host.talk(request, timeout=0.1) as talking:
        answer = HTTPResponse(talking)
        answer.begin()
        assert answer.read(len(whole) // 2) == whole[: len(whole) // 2]
        with pytest.raises(TimeoutError):
            answer.read(1)
        answer.close()


def test_silent_path_takes_the_request_and_says_nothing(host: Running) -> None:
    """It counts as under way until the client leaves."""
    with host.talk(b"GET /silent/a HTTP/1.1\r\nHost: x\r\n\r\n", timeout=0.1) as talking:
        with pytest.raises(TimeoutError):
            talking.recv(1)
        host.settle(in_flight=1, connections_open=1)
    host.settle(in_flight=0, connections_open=0)


def test_endless_body_goes_on_until_the_client_leaves(host: Running, whole: bytes) -> None:
    """It begins with the picture; a client that stops reading fills no memory."""
    with host.talk(b"GET /endless/by-name/a.jpg HTTP/1.1\r\nHost: x\r\n\r\n") as talking:
        answer = HTTPResponse(talking)
        answer.begin()
        assert answer.read(len(whole)) == whole
        assert answer.read(5_000_000) == bytes(5_000_000)
        answer.close()
    assert host.ask("/by-name/a.jpg").body == whole
    host.settle(in_flight=0, connections_open=0)


@pytest.mark.parametrize(
    ("manner", "there"),
    [
        ("", ("ETag", "Last-Modified")),
        ("only-tag/", ("ETag",)),
        ("weak-tag/", ("ETag",)),
        ("only-date/", ("Last-Modified",)),
        ("no-validators/", ()),
    ],
)
def test_client_that_has_the_picture_is_told_so(
    host: Running, whole: bytes, manner: str, there: tuple[str, ...]
) -> None:
    """304 without a body, by tag or by date, whichever are told; another tag decides alone."""
    path = f"/{manner}by-name/a.jpg"
    first = host.ask(path)
    assert first.body == whole
    assert tuple(name for name in ("ETag", "Last-Modified") if first.headers[name]) == there
    named = {"ETag": "If_None_Match", "Last-Modified": "If_Modified_Since"}
    for name in there:
        again = host.ask(path, Range="bytes=0-9", **{named[name]: first.headers[name]})
        assert (again.status, again.body) == (304, b"")
        assert again.headers[name] == first.headers[name]
        assert again.headers["Content-Length"] is None
    date = "Fri, 31 Dec 2100 00:00:00 GMT"
    assert host.ask(path, If_None_Match='"another"', If_Modified_Since=date).status == 200
    assert host.ask(path, If_Modified_Since="yesterday").status == 200
    known = {"If_None_Match": first.headers["ETag"] or '"x"', "If_Modified_Since": date}
    assert host.ask(f"/no-conditions{path}", **known).body == whole


def test_pictures_are_changed_and_removed_until_the_reset(host: Running) -> None:
    """Of one path; in every manner. What is removed may come back as another."""
    first, neighbour = host.ask("/x/1"), host.ask("/x/2")
    assert host.ask("/_change/x/1", method="POST").status == 200
    second = host.ask("/no-range/x/1")
    assert second.body != first.body
    for name in ("ETag", "Last-Modified", "X-Picture"):
        assert second.headers[name] != first.headers[name]
    assert host.ask("/x/1", If_None_Match=first.headers["ETag"]).status == 200
    host.ask("/_remove/x/1", method="POST")
    assert host.ask("/x/1").status == 404
    assert host.ask("/x/2").body == neighbour.body
    host.ask("/_change/x/1", method="POST")
    assert host.ask("/x/1").body not in (first.body, second.body)
    host.ask("/_reset", method="POST")
    assert host.ask("/x/1").headers["ETag"] == first.headers["ETag"]
    assert host.ask("/_change/x/1").status == 405


def test_counts_tell_what_was_served(host: Running) -> None:
    """Bodies' bytes, one connection for what it asked, and nothing of the counting itself."""
    connection = HTTPConnection(*host.address, timeout=5)
    for _ in range(3):
        named = {"Range": "bytes=0-9", "User-Agent": "census"}
        connection.request("GET", "/by-name/a.jpg", headers=named)
        connection.getresponse().read()
    host.ask("/status/404", User_Agent="another")
    host.settle(connections_open=1)
    counted = host.count()
    assert counted | {"bytes": 0, "hosts": 0} == {
        "requests": 4,
        "bytes": 0,
        "connections": 2,
        "connections_open": 1,
        "connections_open_peak": 2,
        "in_flight": 0,
        "in_flight_peak": 1,
        "ranges": 3,
        "statuses": {"206": 3, "404": 1},
        "user_agents": ["another", "census"],
        "hosts": 0,
    }
    assert counted["bytes"] == 30 + len(b"404 Not Found\n")
    recent = json.loads(host.ask("/_requests").body)
    assert [request["target"] for request in recent] == ["/by-name/a.jpg"] * 3 + ["/status/404"]
    assert recent[0]["headers"]["range"] == "bytes=0-9"
    host.ask("/_reset", method="POST")
    assert (host.count()["requests"], host.count()["connections_open"]) == (0, 1)
    connection.close()


def test_options_change_every_answer(folder: Path) -> None:
    """Latency, errors at a stated rate, silent names, and no length, together in one host."""
    options = ["--latency-ms", "40", "--error-rate", "0.5", "--error-status", "500", "404"]
    options += ["--silent", "black.hole", "--no-length", "chunked"]
    with started("--folder", str(folder), *options) as host:
        before = time.monotonic()
        statuses = [host.ask("/by-name/a.jpg", Range="bytes=0-1").status for _ in range(15)]
        assert time.monotonic() - before >= 15 * 0.04
        assert set(statuses) == {200, 404, 500}
        silent = b"GET / HTTP/1.1\r\nHost: black.hole:80\r\n\r\n"
        with host.talk(silent, timeout=0.1) as talking, pytest.raises(TimeoutError):
            talking.recv(1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_host_at_once_with_exit_code_0(folder: Path, number: int) -> None:
    """Also while clients wait for answers."""
    with (
        started("--folder", str(folder)) as host,
        host.talk(b"GET /slow/60000/a HTTP/1.1\r\nHost: x\r\n\r\n"),
    ):
        host.settle(in_flight=1)
        host.process.send_signal(number)
        assert host.process.wait(timeout=20) == 0


def test_host_ends_with_whoever_holds_its_input(folder: Path) -> None:
    """Once all of them are gone, and not before, though something is said."""
    ours, theirs = os.pipe()
    second = os.dup(theirs)
    command = [sys.executable, str(PROGRAM), "--folder", str(folder), "--until-stdin-closes"]
    with (
        os.fdopen(ours) as stdin,
        subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE) as process,
    ):
        try:
            host = Running(process)
            os.write(theirs, b"x")
            os.close(theirs)
            assert host.ask("/by-name/a.jpg").status == 200
            assert process.poll() is None
        finally:
            os.close(second)
        assert process.wait(timeout=20) == 0


def test_manifest_has_a_row_per_number() -> None:
    """A header and N rows, on stdout; nothing is served."""
    command = [sys.executable, str(PROGRAM), "--manifest", "3", "--base", "http://pictures.test/"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines() == [
        "id\turl",
        "0\thttp://pictures.test/picture/0",
        "1\thttp://pictures.test/picture/1",
        "2\thttp://pictures.test/picture/2",
    ]


def test_folder_without_pictures_is_told(tmp_path: Path) -> None:
    """No ready line, a sentence and exit code 2."""
    command = [sys.executable, str(PROGRAM), "--folder", str(tmp_path)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"No pictures in {tmp_path}\n"
