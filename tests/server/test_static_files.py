"""The files of the page: served as they are, packed, kept or asked about again, and no others."""

from __future__ import annotations

import gzip
import re
from pathlib import Path, PurePosixPath

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from yarl import URL

from server.static_files import FOLDER, POLICY, READER_POLICY, StaticFiles
from tests.server.serving import Answer, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

MAIN = "/static/page/main.js"
TYPES = {
    "/": "text/html; charset=utf-8",
    "/docs": "text/html; charset=utf-8",
    "/docs/": "text/html; charset=utf-8",
    MAIN: "text/javascript; charset=utf-8",
    "/static/style/page.css": "text/css; charset=utf-8",
    "/static/icon.svg": "image/svg+xml",
    "/static/vendor/SOURCES.json": "application/json",
}
#: Of the folder, with the end that they are served without.
NAMES = sorted(
    path.relative_to(FOLDER).as_posix().removesuffix(".gz")
    for path in FOLDER.rglob("*")
    if path.is_file()
)
SCRIPTS = [name for name in NAMES if name.endswith(".js") and not name.startswith("vendor/")]
PAGES = [name for name in NAMES if name.endswith(".html")]


async def get(served: Served, path: str, method: str = "GET", **headers: str) -> Answer:
    """GET, with `Accept_Encoding` and the like as header fields."""
    named = {name.replace("_", "-"): said for name, said in headers.items()}
    return await served.ask(path, method=method, headers=named)


def text(name: str) -> str:
    """A file as it lies in the folder."""
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("path", "kind"), TYPES.items())
async def test_each_file_says_what_it_is_and_what_it_may(
    served: Served, path: str, kind: str
) -> None:
    """Its type, the policy, and that it is to be asked about again."""
    answer = await get(served, path, Accept_Encoding="identity")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Content-Security-Policy"] == (
        READER_POLICY if path.startswith("/docs") else POLICY
    )
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", NAMES)
async def test_every_file_of_the_folder_is_served_or_has_no_type(served: Served, name: str) -> None:
    """As it lies there; one that lies there packed is unpacked for who does not take it so."""
    answer = await get(served, f"/static/{name}", Accept_Encoding="identity")

    packed = FOLDER / f"{name}.gz"
    if PurePosixPath(name).suffix == "":
        assert PurePosixPath(name).name in ("LICENSE", "NOTICE")
        answer.problem(404)
        return
    kept = gzip.decompress(packed.read_bytes()) if packed.exists() else (FOLDER / name).read_bytes()
    assert answer.status == 200
    assert answer.body == kept
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0.001", True),
        ("identity", False),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("br", False),
        ("x-gzipped", False),
    ],
)
async def test_it_is_packed_for_who_takes_it_so(
    served: Served, accepted: str, packed: bool
) -> None:
    """The same text either way, of the same tag."""
    answer = await get(served, MAIN, Accept_Encoding=accepted)

    assert (answer.headers.get("Content-Encoding") == "gzip") is packed
    body = gzip.decompress(answer.body) if packed else answer.body
    assert body.decode() == text("page/main.js")


async def test_what_a_client_has_is_not_sent_again(served: Served) -> None:
    """Each form in which it may say so; another version is sent."""
    first = await get(served, MAIN, Accept_Encoding="gzip")
    tag = first.headers["ETag"]
    plain = await get(served, MAIN, Accept_Encoding="identity")
    assert plain.headers["ETag"] == tag
    assert tag.startswith('W/"')  # one of both forms: not the same byte for byte

    for said in (tag, tag.removeprefix("W/"), f'"other", {tag}', f'W/"other",{tag}', "*"):
        answer = await get(served, MAIN, If_None_Match=said)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert "Content-Security-Policy" in answer.headers
    for said in ('"other"', f'"x{tag.strip("W/")[1:]}', tag.strip('W/"'), ""):
        assert (await get(served, MAIN, If_None_Match=said)).status == 200


@pytest.mark.parametrize("path", ["/", MAIN])
async def test_head_has_the_fields_and_nothing_else(served: Served, path: str) -> None:
    """As GET would, without the text."""
    whole = await get(served, path, Accept_Encoding="identity")
    answer = await get(served, path, method="HEAD", Accept_Encoding="identity")

    assert (answer.status, answer.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Content-Security-Policy"):
        assert answer.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static",
        "/static/page",
        "/static/page/",
        "/static/nowhere.js",
        "/static/page/MAIN.js",
        "/static//page/main.js",
        "/static/page/main.js/",
        "/static/page/main.js%00.css",
        "/static/./page/main.js",
        "/static/../app.py",
        "/static/../../etc/passwd",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/static/..%5capp.py",
        "/static/page/..%2fpage%2fmain.js",
        "/static/page/%252e%252e/page/main.js",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        f"/static/{'x' * 4000}",
    ],
)
async def test_no_other_path_leads_to_a_file(served: Served, path: str) -> None:
    """As it is written, not as a client would tidy it: 404, a problem."""
    async with served.session.get(URL(served.url + path, encoded=True)) as response:
        answer = Answer(response.status, response.headers, await response.read())

    answer.problem(404)


@pytest.mark.parametrize("name", PAGES)
async def test_what_a_page_names_is_there(served: Served, name: str) -> None:
    """Scripts, styles, icons: of this service, each served with the type that its element needs."""
    named = re.findall(r'<(script|link|img)\b[^>]*?\b(?:src|href)="([^"]*)"', text(name))
    assert named
    for _, url in named:
        assert url.startswith("/static/")
        assert (await get(served, url)).status == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", text(name))


@pytest.mark.parametrize("name", SCRIPTS)
async def test_what_a_module_imports_is_there(served: Served, name: str) -> None:
    """Each resolves to a module of this service that has the names."""
    found = re.findall(
        r'^(?:import|export)\s+(?:\{([^}]*)\}\s+from\s+)?"([^"]+)";', text(name), re.MULTILINE
    )
    all_of_them = re.findall(r"^import\b|^export [{*].*\bfrom\b", text(name), re.MULTILINE)
    assert len(found) == len(all_of_them)
    for names, target in found:
        assert target.startswith((".", "/static/")), target
        url = URL(f"{served.url}/static/{name}").join(URL(target))
        answer = await get(served, url.path, Accept_Encoding="identity")
        assert answer.headers["Content-Type"] == TYPES[MAIN]
        imported = [one.split(" as ")[0].strip() for one in names.split(",") if one.strip()]
        for one in imported:
            assert re.search(
                rf"^export (?:async )?(?:function\*?|class|const|let) {re.escape(one)}\b",
                answer.body.decode(),
                re.MULTILINE,
            ), f"{target} has no {one}"


async def asked(files: StaticFiles, path: str, **headers: str) -> web.Response:
    """What `/static/{path}` answers, without a server."""
    match = {"path": path}
    request = make_mocked_request("GET", f"/static/{path}", headers=headers, match_info=match)
    return await files.file(request)


async def named(files: StaticFiles, name: str) -> str:
    """Where the page has the file *name*: below `/static/`."""
    answer = await files.page("page.html")(make_mocked_request("GET", "/"))
    assert isinstance(answer, web.Response)
    assert answer.headers["Cache-Control"] == "no-cache"
    assert isinstance(answer.body, bytes)
    found = re.findall(rf'"/static/([0-9a-f]+/{re.escape(name)})"', answer.body.decode())
    assert len(found) == 1
    return str(found[0])


async def test_what_a_page_names_is_kept(served: Served) -> None:
    """By browsers, for good: the same text as without the edition, and each file beside it."""
    shell = (await get(served, "/", Accept_Encoding="identity")).body.decode()
    places = re.findall(r'"(/static/[^"]+)"', shell)
    assert len(places) > 10
    editions = {place.split("/")[2] for place in places}
    assert len(editions) == 1
    assert re.sub(rf"/static/{editions.pop()}/", "/static/", shell) == text("index.html")

    for place in {*places, *(place.replace("main.js", "client.js") for place in places)}:
        answer = await get(served, place, Accept_Encoding="identity")
        bare = await get(served, re.sub("/static/[0-9a-f]+/", "/static/", place))
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable", place
        assert answer.headers["ETag"] == bare.headers["ETag"]
        assert bare.headers["Cache-Control"] == "no-cache"
        again = await get(served, place, If_None_Match=answer.headers["ETag"])
        assert (again.status, again.headers["Cache-Control"]) == (
            304,
            answer.headers["Cache-Control"],
        )


async def test_editions_follow_the_files(tmp_path: Path) -> None:
    """The same files are the same edition, wherever they lie; of another one nothing is kept."""
    folders = [tmp_path / "here", tmp_path / "there"]
    for folder in folders:
        folder.mkdir()
        (folder / "page.html").write_text('<script src="/static/one.js"></script>')
        (folder / "one.js").write_text("1")
        (folder / "two.js").write_text("2")
    here, there = map(StaticFiles, folders)
    first = await named(here, "one.js")
    assert await named(there, "one.js") == first
    assert "immutable" in (await asked(here, first)).headers["Cache-Control"]
    # Asked of a server that has told no page yet.
    other = StaticFiles(folders[1])
    assert "immutable" in (await asked(other, first)).headers["Cache-Control"]

    (folders[0] / "two.js").write_text("other")

    # Not before the page tells of it, either: who keeps the old one must not keep the new as that.
    answer = await asked(here, first.replace("one.js", "two.js"))
    assert (answer.body, answer.headers["Cache-Control"]) == (b"other", "no-cache")
    second = await named(here, "one.js")
    assert second != first
    assert "immutable" in (await asked(here, second)).headers["Cache-Control"]
    assert (await asked(here, first)).headers["Cache-Control"] == "no-cache"
    old = await asked(there, second.replace("one.js", "two.js"))
    assert (old.body, old.headers["Cache-Control"]) == (b"2", "no-cache")
    with pytest.raises(web.HTTPNotFound):
        await asked(here, second.replace("one.js", "three.js"))


async def test_a_file_that_changes_is_served_as_it_is(tmp_path: Path) -> None:
    """One that is new or gone since the start is not there; one that changed has another tag."""
    (tmp_path / "one.js").write_text("1")
    (tmp_path / "page.html").write_text('"/static/one.js"')
    files = StaticFiles(tmp_path)
    (tmp_path / "two.js").write_text("2")

    first = await asked(files, "one.js")
    (tmp_path / "one.js").write_text("other")
    second = await asked(files, "one.js")
    assert (first.body, second.body) == (b"1", b"other")
    assert first.headers["ETag"] != second.headers["ETag"]
    (tmp_path / "one.js").unlink()
    for name in ("one.js", "two.js"):
        with pytest.raises(web.HTTPNotFound):
            await asked(files, name)
    assert await named(files, "one.js")  # the page is there, though a part of it is not
