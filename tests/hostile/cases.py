"""The tables of docs/hostile-inputs.md: what is tested is what the page says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["DEPTHS", "HOSTILE", "TLS", "URLS", "WRITTEN", "Case"]

_SCRIPTS = Path(__file__).parents[2] / "scripts"
_spec = importlib.util.spec_from_file_location("page", _SCRIPTS / "hosting" / "page.py")
assert _spec is not None
assert _spec.loader is not None
page = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(page)

Case = page.Case
DEPTHS = page.DEPTHS
WRITTEN = {case.name: case for case in page.written()}
TLS = [case for name, case in WRITTEN.items() if name.startswith("tls-")]
HOSTILE = [case for name, case in WRITTEN.items() if not name.startswith(("tls-", "url-"))]

#: By their names on the page; `{refused}` is a port where nobody listens.
URLS: dict[str, str] = {
    "url-word": "foo",
    "url-path": "/rel",
    "url-empty": "",
    "url-no-scheme": "//host/x",
    "url-no-host": "http://",
    "url-no-host-but-path": "http:///x",
    "url-no-host-but-port": "http://:80/",
    "url-port-too-high": "http://h:99999/",
    "url-port-zero": "http://h:0/",
    "url-port-word": "http://h:port/",
    "url-open-bracket": "http://[::1",
    "url-long-label": f"http://{'a' * 64}.example/",
    "url-empty-label": "http://a..b/",
    "url-space": "http://a b/x",
    "url-cr-lf": "http://127.0.0.1\r\nX-Injected: 1\r\n/x",
    "url-nul": "http://a\0b/x",
    "url-quoted-cr-lf": "http://a%0d%0ab/x",
    "url-70-kb": "http://h/" + "a" * 70_000,
    "url-ftp": "ftp://h/x.jpg",
    "url-file": "file:///etc/passwd",
    "url-data": "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
    "url-javascript": "javascript:alert(1)",
    "url-s3": "s3://bucket/key",
    "url-gopher": "gopher://h/",
    "url-unix": "http+unix://%2Fsocket/x",
    "url-blob": "blob:http://h/1",
    "url-no-such-name": "http://no-such-name.invalid/x",
    "url-refused": "http://127.0.0.1:{refused}/x",
}
