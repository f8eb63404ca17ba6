"""docs/how-to/nginx.md: its configuration in a real nginx, but for ports and paths of certificates.

That nothing is held back is told by what comes before what, never by time.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.asserts import eventually
from tests.e2e.demo import free_port
from tests.e2e.serving import INFO, ServerProcess, started
from tests.pages import ROOT, Use, blocks
from tests.picture_hosts import PictureHost

NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

NAME = "census.example.com"
KEY = "a-key-of-this-test"
TSV = {"Content-Type": "text/tab-separated-values", "Authorization": f"Bearer {KEY}"}
#: Around the page's file, as /etc/nginx/nginx.conf is, with everything below one folder.
MAIN = """
daemon off;
{user}
pid nginx.pid;
error_log stderr;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include census.conf;
}}
"""


class Proxy:
    """nginx in front of a server: its two ports, and a client that trusts its certificate."""

    def __init__(self, folder: Path, server: ServerProcess) -> None:
        self.folder = folder
        self.plain, self.secure = free_port(), free_port()
        authority = trustme.CA()
        self.authority = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.authority)
        given = authority.issue_cert(NAME)
        given.private_key_pem.write_to_path(folder / "privkey.pem")
        for part in given.cert_chain_pems:
            part.write_to_path(folder / "fullchain.pem", append=True)
        (config,) = [
            block.text
            for block in blocks(ROOT / "docs" / "how-to" / "nginx.md")
            if block.use is Use.FILE
        ]
        for written, here in {
            "server 127.0.0.1:5000;": f"server 127.0.0.1:{server.port};",
            "listen 80;": f"listen 127.0.0.1:{self.plain};",
            "listen 443 ssl": f"listen 127.0.0.1:{self.secure} ssl",
            "/etc/ssl/census/fullchain.pem": str(folder / "fullchain.pem"),
            "/etc/ssl/census/privkey.pem": str(folder / "privkey.pem"),
        }.items():
            assert config.count(written) == (2 if written == "listen 443 ssl" else 1), written
            config = config.replace(written, here)
        (folder / "census.conf").write_text(config, encoding="utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(user=user), encoding="utf-8")

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """nginx, until it is told to quit, which must end well."""
        command = [str(NGINX), "-p", str(self.folder), "-c", "nginx.conf", "-e", "stderr"]
        log = self.folder / "log"
        with log.open("wb") as stderr, subprocess.Popen(command, stderr=stderr) as process:
            try:
                eventually(lambda: (self.folder / "nginx.pid").exists() or process.poll())
                assert process.poll() is None, log.read_text()
                yield self
            finally:
                process.terminate()
                assert process.wait(20) == 0, log.read_text()

    @contextmanager
    def connection(self) -> Iterator[HTTPSConnection]:
        """To the address of the proxy, by its name, over TLS."""
        trusted = ssl.create_default_context(cafile=str(self.authority))
        made = HTTPSConnection(NAME, self.secure, timeout=20, context=trusted)
        made._create_connection = self._dial  # type: ignore[attr-defined]
        try:
            yield made
        finally:
            made.close()

    def _dial(self, address: tuple[str, int], *rest: Any) -> Any:
        return socket.create_connection(("127.0.0.1", address[1]), *rest)

    def curl(self, *words: str) -> list[str]:
        """What trusts and finds the proxy."""
        found = ["--cacert", str(self.authority), "--resolve", f"{NAME}:{self.secure}:127.0.0.1"]
        key = ["-H", f"Authorization: Bearer {KEY}"]
        return ["curl", "-sSN", *found, *key, f"https://{NAME}:{self.secure}{INFO}", *words]


@pytest.fixture(scope="module")
def proxy(
    tmp_path_factory: pytest.TempPathFactory, redis_settings: dict[str, str]
) -> Iterator[Proxy]:
    """nginx before a server with a key."""
    folder = tmp_path_factory.mktemp("nginx")
    with (
        started(folder, API_KEY=KEY, **redis_settings) as server,
        Proxy(folder, server).running() as running,
    ):
        yield running


def chunk(text: str) -> bytes:
    """A part of a body whose length nobody knows yet."""
    return f"{len(text):x}\r\n{text}\r\n".encode()


def until_record(answer: HTTPResponse) -> dict[str, Any]:
    """The first line of an answer that is about a row."""
    for line in answer:
        said: dict[str, Any] = json.loads(line)
        if said["type"] == "image":
            return said
    raise AssertionError("no record came")


def test_rows_are_answered_while_the_list_is_uploaded(
    proxy: Proxy, picture_host: PictureHost
) -> None:
    """The second row is sent when the record of the first has come: neither way is buffered."""
    with proxy.connection() as connection:
        connection.putrequest("POST", INFO)
        for name, value in {**TSV, "Transfer-Encoding": "chunked"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(chunk(f"url\n{picture_host}/a\n"))
        answer = connection.getresponse()

        assert answer.status == 200
        assert until_record(answer)["index"] == 0

        connection.send(chunk(f"{picture_host}/b\n") + chunk(""))
        rest = [json.loads(line) for line in answer]
        assert [line["index"] for line in rest if line["type"] == "image"] == [1]
        assert rest[-1]["complete"] is True
        assert rest[-1]["rows"] == 2


def test_it_is_http_2_for_who_speaks_it(proxy: Proxy, picture_host: PictureHost) -> None:
    """With the records of an upload, and the id of the request that the log has."""
    rows = f"url\n{picture_host}/a\n{picture_host}/b\n"
    told = subprocess.run(
        proxy.curl("--http2", "-i", "-H", f"Content-Type: {TSV['Content-Type']}", "-T", "-",
                   "-X", "POST"),
        input=rows, capture_output=True, text=True, timeout=30, check=True,
    ).stdout  # fmt: skip

    head, _, body = told.replace("\r\n", "\n").partition("\n\n")
    if not head.startswith("HTTP/2 "):
        assert "HTTP2" not in subprocess.check_output(["curl", "--version"], text=True)
        pytest.skip("this curl does not speak HTTP/2")
    assert head.startswith("HTTP/2 200")
    assert "\nx-request-id: " in head
    assert json.loads(body.splitlines()[-1])["complete"] is True


def test_a_list_of_any_size_passes(proxy: Proxy, picture_host: PictureHost) -> None:
    """Larger than what nginx takes by itself (1 MB)."""
    rows = f"{picture_host}/a\n" * 100_000
    with proxy.connection() as connection:
        connection.request("POST", f"{INFO}?limit=2", rows.encode(), TSV)
        answer = connection.getresponse()
        said = [json.loads(line) for line in answer]

    assert len(rows) > 2_000_000
    assert answer.status == 200
    assert said[-1]["rows"] == 2
    assert said[-1]["complete"] is True


def asked(connection: HTTPConnection, path: str, **headers: str) -> tuple[int, str]:
    """Status, and where it leads or what kind it is."""
    connection.request("GET", path, headers={"Host": NAME, **headers})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Location") or answer.getheader("Content-Type") or ""


def test_the_key_is_asked_for_and_passed_on(proxy: Proxy) -> None:
    """What needs none answers without; the numbers are not given out; all of it over TLS only."""
    with proxy.connection() as connection:
        assert asked(connection, "/healthz")[0] == 200
        assert asked(connection, "/api/v1/predictors") == (401, "application/problem+json")
        wrong = asked(connection, "/api/v1/predictors", Authorization="Bearer not-this-one-here")
        assert wrong[0] == 401
        right = asked(connection, "/api/v1/predictors", Authorization=f"Bearer {KEY}")
        assert right[0] == 200
        assert asked(connection, "/metrics", Authorization=f"Bearer {KEY}")[0] == 404

    plain = HTTPConnection("127.0.0.1", proxy.plain, timeout=20)
    try:
        assert asked(plain, "/api/v1/jobs") == (301, f"https://{NAME}/api/v1/jobs")
    finally:
        plain.close()
