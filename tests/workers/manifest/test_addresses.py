"""URLs of manifests and the prefixes that open them: nothing that only looks like one is below."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.manifest.addresses import is_url, parse_address, parse_prefix, shown_manifest


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("https://a.example/lists", "https://a.example/lists/images.tsv"),
        ("https://a.example/lists", "https://a.example/lists"),
        ("https://a.example/lists/", "https://a.example/lists/of/today.tsv.gz?sig=a/../b#c"),
        ("https://a.example", "https://a.example/anything"),
        ("https://a.example/", "https://a.example"),
        ("https://A.example:443/lists", "HTTPS://a.EXAMPLE./lists/x"),
        ("https://a.example:8443", "https://a.example:8443/x"),
        ("http://a.example", "http://a.example:80/x"),
        ("https://a.example/my lists", "https://a.example/my%20lists/x"),
        ("https://a.example/%6Cists", "https://a.example/lists/x"),
        ("https://a.example/lists", "https://a.example/lists/100%25.tsv"),
        ("https://a.example/o", "https://a.example/o/folder%2Fimages.tsv"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x/y"),
        ("https://[::1]:8000/x", "https://[::1]:8000/x/y"),
        ("s3://bucket", "s3://bucket/images.tsv"),
        ("s3://bucket/lists/", "S3://bucket/lists/of today/ü%41.tsv"),
        ("s3://bucket/a", "s3://bucket/a//b"),
    ],
)
def test_what_lies_below_a_prefix(prefix: str, url: str) -> None:
    """However host, port and path are spelled."""
    assert parse_prefix(prefix).holds(parse_address(url))


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("https://a.example/lists", "http://a.example/lists/x"),
        ("http://a.example/lists", "https://a.example/lists/x"),
        ("https://a.example", "https://a.example.evil.example/x"),
        ("https://a.example", "https://a.example@b.example/x"),
        ("https://a.example", "https://a.example:pass@b.example/x"),
        ("https://a.example", "https://name:pass@a.example/x"),
        ("https://a.example", "https://b.example/https://a.example/x"),
        ("https://a.example", "https://b.example?https://a.example/"),
        ("https://a.example", "https://b.example#@a.example/"),
        ("https://a.example", "https://a.example:444/x"),
        ("https://a.example:8443", "https://a.example/x"),
        ("https://a.example/lists", "https://a.example/lists-of-others/x"),
        ("https://a.example/lists", "https://a.example/list"),
        ("https://a.example/lists", "https://a.example/Lists/x"),
        ("https://a.example/lists", "https://a.example//lists/x"),
        ("https://a.example/lists", "https://a.example/x/lists/x"),
        ("https://a.example/lists", "https://a.example/lists%2Fx"),
        ("https://a.example/lists", "https://a.example/lists%3Fx"),
        ("https://a.example/lists", "https://a.example/lists/../x"),
        ("https://a.example/lists", "https://a.example/lists/./../x"),
        ("https://a.example/lists", "https://a.example/lists/ü/../../x"),
        ("https://a.example/lists", "https://a.example/lists/%2e%2e/x"),
        ("https://a.example/lists", "https://a.example/lists/.%2E/x"),
        ("https://a.example/lists", "https://a.example/lists/%252e%252e/x"),
        ("https://a.example/lists", "https://a.example/lists/%25252525252e./x"),
        ("https://a.example/lists", "https://a.example/lists/..%2fx"),
        ("https://a.example/lists", "https://a.example/lists/x%2f..%2f..%2fx"),
        ("https://a.example/lists", "https://a.example/lists/..%5cx"),
        ("https://a.example/lists", "https://a.example/lists/..\\x"),
        ("https://a.example/lists", "https://a.example/lists\\..\\x"),
        ("https://a.example/lists", "https://a.example/lists/..;/x"),
        ("https://a.example/lists", "https://a.example/lists/..%3Ba=b/x"),
        ("https://a.example/lists", "https://a.example/lists/%c0%ae%c0%ae/x"),
        ("https://a.example/lists", "https://a.example/lists/.. /x"),
        ("s3://bucket/lists", "s3://bucket/lists-of-others/x"),
        ("s3://bucket/lists", "s3://bucket//lists/x"),
        ("s3://bucket/lists", "s3://bucket/lists/../x"),
        ("s3://bucket/lists", "s3://bucket/lists/%2e%2e/x"),
        ("s3://bucket/lists", "s3://bucket/lists/..\\x"),
        ("s3://bucket", "s3://bucket2/x"),
        ("s3://bucket", "https://bucket/x"),
        ("https://bucket", "s3://bucket/x"),
    ],
)
def test_what_does_not(prefix: str, url: str) -> None:
    """Whatever a server or a parser may make of it."""
    assert not parse_prefix(prefix).holds(parse_address(url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://a.example/x", "ftp:// is not read"),
        ("file:///etc/passwd", "file:// is not read"),
        ("s3a://bucket/x", "s3a:// is not read"),
        ("https://", "no host"),
        ("https:///x", "no host"),
        ("https://a.example\\@b.example/x", "cannot be read"),
        ("https://a.exa\nmple/x", "control"),
        ("https://a.example:0/x", "port"),
        ("https://a.example:https/x", "port"),
        ("https://secret:word@[/x", "cannot be read"),
        ("https://a.example/" + "x" * 9000, "longer than"),
        ("s3://", "s3://bucket/key"),
        ("s3:///key", "s3://bucket/key"),
        ("s3://b/key", "s3://bucket/key"),
        ("s3://name:pass@bucket/key", "s3://bucket/key"),
        ("s3://bucket/key?versionId=7", "s3://bucket/key"),
        ("s3://bucket/key#x", "s3://bucket/key"),
        ("s3://bucket/k\ney", "s3://bucket/key"),
        ("s3://bucket:80/key", "s3://bucket/key"),
        ("images.tsv", "no scheme"),
    ],
)
def test_what_is_no_url_of_a_manifest(url: str, said: str) -> None:
    """It says why, and repeats no password."""
    with pytest.raises(ValueError, match=said) as caught:
        parse_address(url)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    "prefix",
    [
        "a.example/lists",
        "https://",
        "ftp://a.example",
        "https://name:secret@a.example",
        "https://a.example/lists?x=1",
        "https://a.example/lists#x",
        "https://a.example/lists/../x",
        "s3://",
        "s3://bucket/../x",
        "s3://*/x",
    ],
)
def test_what_is_no_prefix(prefix: str) -> None:
    """The operator is told at the start."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_prefix(prefix)
    assert "secret" not in str(caught.value)


HOSTS = st.sampled_from(["a.example", "A.EXAMPLE", "b.a.example", "a.example.b", "a.example:444"])
PIECES = st.sampled_from(
    [
        "lists",
        "Lists",
        "list",
        "..",
        ".",
        "%2e%2e",
        "%2E.",
        "%252e%252e",
        "..;x",
        "%5c..",
        "a b",
        "",
    ]
)


@given(HOSTS, st.lists(PIECES, max_size=5), st.sampled_from(["", "?a=/../", "#b"]))
def test_below_means_below_for_every_reader(host: str, pieces: list[str], rest: str) -> None:
    """Where a URL is let through, its path leads below, decoded and resolved as often as wanted."""
    url = f"https://{host}/{'/'.join(pieces)}{rest}"
    if not parse_prefix("https://a.example/lists").holds(parse_address(url)):
        return
    assert host.lower() == "a.example"
    path = "/".join(pieces)
    for _ in range(3):
        path = path.replace("%2e", ".").replace("%2E", ".").replace("%5c", "/").replace("%25", "%")
        resolved: list[str] = []
        for part in path.split("/"):
            part = part.partition(";")[0]
            if part == "..":
                resolved = resolved[:-1]
            elif part not in ("", "."):
                resolved.append(part)
        assert resolved[:1] == ["lists"]


@given(st.text(max_size=20).filter(lambda text: text.encode(errors="replace").decode() == text))
def test_any_name_of_a_file_is_below(name: str) -> None:
    """Encoded as it should be, a name leads nowhere else, unless it is made of dots."""
    try:
        address = parse_address(f"https://a.example/lists/{quote(name, safe='')}")
    except ValueError:
        return
    below = parse_prefix("https://a.example/lists").holds(address)
    assert below or address.odd is not None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lists/a?b#c@d.tsv", "lists/a?b#c@d.tsv"),
        ("https://h/x.tsv?X-Amz-Signature=secret#f", "https://h/x.tsv"),
        ("https://name:secret@h/x.tsv?y", "https://h/x.tsv"),
        ("https://name:se?cret@h/x.tsv", "https://h/x.tsv"),
        ("s3://bucket/x.tsv", "s3://bucket/x.tsv"),
    ],
)
def test_what_is_told_of_a_name(text: str, shown: str) -> None:
    """Neither passwords nor signatures."""
    assert shown_manifest(text) == shown


def test_paths_are_no_urls() -> None:
    """A name of a file may hold nearly everything."""
    assert [is_url(text) for text in ("s3://b/k", "x:/y", "/http://h", "C:\\x", "a b://c")] == [
        *(True, False, False, False, False)
    ]
