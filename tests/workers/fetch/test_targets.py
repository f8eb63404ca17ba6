"""The text of a URL: what would be dialled for it, or why nothing would be."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure
from workers.fetch.targets import MAX_URL_CHARS, Origin, Target, parse_target, without_userinfo


def target(text: str) -> Target:
    found = parse_target(text)
    assert isinstance(found, Target), found
    return found


def refusal(text: str) -> Failure:
    found = parse_target(text)
    assert isinstance(found, Failure), found
    return found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo",
        "/rel",
        "//host/x",
        "www.example.com/a.jpg",
        "http",
        "http:",
        "http://",
        "http:///",
        "http:///x",
        "http:/x",
        "http:x",
        "http://:80/",
        "http://@/",
        "http://u:p@/",
        "http://h:0/",
        "http://h:99999/",
        "http://h:-1/",
        "http://h:x/",
        "http://h:80:90/",
        "http://[::1",
        "http://[::bad::]/",
        "http://[]/",
        "http://[g::1]/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "ü" * 60 + ".example/",
        "http://a..b/",
        "http://.a/",
        "http://./",
        "http://a../",
        "http://h\r\nX: y/",
        "http://h\n/",
        "http://h\t/",
        "http://h\0/",
        "http://a b/",
        "http:// h/",
        "http://h\x7f/",
        "http://\ud800/",
        "http://h/\ud800",
        "http://h?\udfff",
        "http://h℀x/",
        "http://xn--a/",
        " http://h/",
        "http://h/" + "x" * 70_000,
        "http://h/" + "x" * (MAX_URL_CHARS - 8),
    ],
)
def test_bad_url(text: str) -> None:
    """Nothing that has no host, no port or no name that could be looked up is dialled."""
    found = refusal(text)
    assert found.code is ErrorCode.BAD_URL, found
    assert len(found.message) <= 200
    assert found.message.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "ftp://h/x",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "s3://bucket/key",
        "gopher://h/",
        "http+unix://%2Frun%2Fx.sock/",
        "blob:http://h/x",
        "ws://h/",
        "C:/images/a.jpg",
        "HTTPX://h/",
    ],
)
def test_bad_scheme(text: str) -> None:
    """Only http and https are fetched, and the message says what was found instead."""
    found = refusal(text)
    assert found.code is ErrorCode.BAD_SCHEME
    assert found.message.startswith(text.partition(":")[0])


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://example.com", ("example.com", 80)),
        ("https://example.com/a?b#c", ("example.com", 443)),
        ("HTTPS://EXAMPLE.com:8443/A", ("example.com", 8443)),
        ("http://h:/x", ("h", 80)),
        ("http://u:p@h:81/x", ("h", 81)),
        ("http://[2606:4700::1111]:82/", ("2606:4700::1111", 82)),
        ("http://bücher.example/ü", ("bücher.example", 80)),
        ("http://" + "a" * 63 + ".example./", ("a" * 63 + ".example", 80)),
        ("http://under_score.example/", ("under_score.example", 80)),
        ("http://１２７.0.0.1/", ("127.0.0.1", 80)),
        ("http://h?q=a b", ("h", 80)),
        ("http://h/a b\tc", ("h", 80)),
        ("http://h/" + "x" * (MAX_URL_CHARS - 9), ("h", 80)),
    ],
)
def test_origin(text: str, origin: tuple[str, int]) -> None:
    """Who is dialled, one spelling for each: permits and silence are counted by it."""
    assert target(text).origin == Origin(*origin)


@pytest.mark.parametrize(
    ("text", "origin", "asked"),
    [
        ("HTTP://h:80/A", ("h", 80), "http://h/A"),
        ("http://h:443/", ("h", 443), "http://h:443/"),
        ("https://h:443/", ("h", 443), "https://h/"),
        ("http://[2606:4700::1111]/a", ("2606:4700::1111", 80), "http://[2606:4700::1111]/a"),
        ("http://BÜCHER.example/", ("bücher.example", 80), "http://xn--bcher-kva.example/"),
        ("http://xn--bcher-kva.example/", ("bücher.example", 80), "http://xn--bcher-kva.example/"),
        ("http://h/%7Ea%2fb", ("h", 80), "http://h/%7Ea%2fb"),
        ("http://127.1/", ("127.1", 80), "http://127.1/"),
        ("http://2130706433/", ("2130706433", 80), "http://2130706433/"),
        ("http://0177.0.0.1/", ("0177.0.0.1", 80), "http://0177.0.0.1/"),
        ("http://0x7f000001/", ("0x7f000001", 80), "http://0x7f000001/"),
        ("http://*/", ("*", 80), "http://*/"),
    ],
)
def test_unusual_but_valid(text: str, origin: tuple[str, int], asked: str) -> None:
    """Read as it stands; odd spellings of an address are judged where they are dialled."""
    found = target(text)
    assert found.origin == Origin(*origin)
    assert str(found.url) == asked


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("http://h/a%28b%29(c)?x=%2f&y=1+2", "/a%28b%29(c)?x=%2f&y=1+2"),
        ("http://h/../a/./b//c", "/../a/./b//c"),
        ("http://h/a b", "/a%20b"),
        ("http://h/ü?q=ü", "/%C3%BC?q=%C3%BC"),
        ("http://h/a\r\nX: y", "/aX:%20y"),
        ("http://h", "/"),
        ("http://h/%zz", "/%zz"),
    ],
)
def test_path_is_asked_for_as_it_is_written(text: str, asked: str) -> None:
    """A signature may be over it; only what cannot stand in a request is quoted or left out."""
    assert target(text).url.raw_path_qs == asked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://h/a", "http://h/a"),
        ("http://user:secret@h/a", "http://h/a"),
        ("https://secret@h", "https://h"),
        ("http://a:secret@b@h/", "http://h/"),
        ("//user:secret@h/a", "//h/a"),
        ("http:/user:secret@h/a", "http:/h/a"),
        ("http:user:secret@h/a", "http:h/a"),
        (" http://user:secret@h/a", " http://h/a"),
        ("http:\\\\user:secret@h/a", "http:\\\\h/a"),
        ("ftp://user:secret@h/a", "ftp://h/a"),
        ("https://h//a@2x.png", "https://h//a@2x.png"),
        ("https://h/fetch/https://x//b@3x.png", "https://h/fetch/https://x//b@3x.png"),
        ("https://h/a?mail=x@y", "https://h/a?mail=x@y"),
        ("logo@2x.png", "logo@2x.png"),
        ('"http://user:secret@h/a"', '"http://h/a"'),
        ("url=http://user:secret@h/a", "url=http://h/a"),
        ("http://user:secret#x@h/", "http://h/"),
        ("http://user:secret/x@h/", "http://h/"),
        ("http://user:secret?x@h/", "http://h/"),
        ("http://user:sec ret@h/", "http://h/"),
        ("http:// user:secret@h/", "http://h/"),
        ("h ttp://user:secret@h/", "h ttp://h/"),
        ("http //user:secret@h/", "http //h/"),
        ("\thttp://user:secret@h/\r\n", "\thttp://h/\r\n"),
        ("http:///user:secret@h/", "http:///h/"),
        ("user:secret@h/a", "user:h/a"),
        ("http://user:secret＠h/", "http://h/"),
        ("http：//user：secret@h/", "http：//h/"),
        ("http://user:secret%40h/", "http://h/"),
        ("http%3A//user:secret@h/", "http%3A//h/"),
        ("https://h/x/http://user:secret@x/b@2x.png", "https://h/x/http://x/b@2x.png"),
        ("https://h:99999/b@2x.png", "https://h:99999/b@2x.png"),
        ("s3://bucket/b@2x.png", "s3://bucket/b@2x.png"),
        ("https://[::1]:80/b@2x.png", "https://[::1]:80/b@2x.png"),
        ("http://h/a%40b.png", "http://h/a%40b.png"),
        ("https://bücher.example/b@2x.png", "https://bücher.example/b@2x.png"),
    ],
)
def test_userinfo_is_never_shown(text: str, shown: str) -> None:
    """What stands before the host is dropped, also of URLs that are no good; the rest is kept."""
    assert without_userinfo(text) == shown


SECRET = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="@＠﹫"),
    min_size=6,
    max_size=30,
).filter(lambda text: not text[0].isdigit() and text[0] not in "/?#")


@given(
    st.sampled_from(
        ["http://", "https://", "http:/", "//", "ftp://", '"http://', " url=http:\\\\"]
    ),
    st.sampled_from(["h", "h.example:8080", "[::1]", "h:99999", "a..b", "", "h℀"]),
    st.sampled_from(["", "/", "/b.png?c#d", "/x@y"]),
    SECRET,
)
def test_no_password_is_ever_shown(start: str, host: str, path: str, password: str) -> None:
    """Whatever stands in it: not in what is shown of the URL, nor in a message."""
    password = f"S3cr3t{password}"
    text = f"{start}user:{password}@{host}{path}"
    assert "S3cr3t" not in without_userinfo(text)
    found = parse_target(text)
    if isinstance(found, Failure):
        assert "S3cr3t" not in found.message
        assert found.message.isprintable()
    else:
        assert "S3cr3t" not in without_userinfo(str(found.url))


def test_a_text_too_long_for_a_url_is_cut() -> None:
    """Behind the password, and only then; every URL that could be asked for is shown whole."""
    asked = "http://h/" + "x" * (MAX_URL_CHARS - 9)
    assert without_userinfo(asked) == asked
    shown = without_userinfo("http://user:" + "s" * 70_000 + "@h/" + "x" * 70_000)
    assert shown == "http://h/" + "x" * 2039 + "…"
    assert len(refusal("x" * 5000 + "://h/").message) < 100


def test_what_is_shown_takes_no_time() -> None:
    """Nothing written into a row makes it look at every character for every other."""
    began = time.process_time()
    for text in ("//" * 40_000 + "@", ":" * 80_000, "http://h/" + "//a:" * 20_000, "@" * 80_000):
        without_userinfo(text)
        without_userinfo(text + "@")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://" + "ü" * 600 + "/", ErrorCode.BAD_URL),
        ("http://" + "ü." * 300 + "example/", ErrorCode.BAD_URL),
        ("http://user name:" + "x" * 600 + "@h/", ErrorCode.BAD_URL),
    ],
)
def test_authority_too_long_to_be_encoded(text: str, code: ErrorCode) -> None:
    """Refused before the encoder of names sees it, whose time grows with the square."""
    found = refusal(text)
    assert found.code is code
    assert found.message == "the host is longer than 512 characters"


def test_long_paths_of_other_alphabets_are_no_long_host() -> None:
    """Only what stands before the path is counted."""
    assert target("http://bücher.example/" + "ü" * 600).origin.host == "bücher.example"


@pytest.mark.parametrize("name", ["example.com", "a.example", "10.0.0.1"])
def test_full_name_is_the_same_host(name: str) -> None:
    """The dot that ends it is sent as written, but earns no permits of its own."""
    plain, full = target(f"http://{name}/"), target(f"http://{name}./")
    assert plain.origin == full.origin
    assert full.url.raw_host == f"{name}."


@pytest.mark.parametrize(
    "text",
    [
        "http://user:secret@h℀st/",
        "http://user:secret@h:99999/",
        "http://user:secret@[::1/",
        "http://user:secret@h\\@x/",
        "http://user:secret@/",
        "http://user:secret@a..b/",
        "ftp://user:secret@h/",
    ],
)
def test_userinfo_is_never_in_a_message(text: str) -> None:
    """Whatever the library says of a URL with a password, we do not repeat it."""
    assert "secret" not in refusal(text).message


@given(
    st.text(max_size=40), st.sampled_from(["", "http://", "https://", "http:", "//", "http://h"])
)
def test_any_text_has_an_answer(text: str, start: str) -> None:
    """Never an exception, and never a host that could be misread on the wire."""
    found = parse_target(start + text)
    if isinstance(found, Target):
        assert found.url.scheme in ("http", "https")
        raw = found.url.raw_host or ""
        assert raw.isascii()
        assert not set(raw) & set("\r\n\0 /?#@\\")
        assert found.url.raw_path_qs.isascii()
        assert not set(found.url.raw_path_qs) & set("\r\n\0 ")
    else:
        assert found.code in (ErrorCode.BAD_URL, ErrorCode.BAD_SCHEME)
