"""The image and the composed services, without an engine: what they start, run as processes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from server import healthcheck
from server.settings import ServerSettings
from tests.picture_hosts import PictureHost
from workers.settings import VERSION

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
DATA_ROOT = "/application/vol/dependencies"


def dockerfile() -> list[list[tuple[str, str]]]:
    """The stages of the Dockerfile, each a list of (instruction, its text on one line)."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    stages: list[list[tuple[str, str]]] = [[]]
    for line in filter(None, lines):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, " ".join(rest.split())))
    return stages


STAGES = dockerfile()
FINAL = dict(STAGES[-1])
#: From the builder's context; `--from` another stage is none of it.
COPIES = [
    rest.split()
    for stage in STAGES
    for name, rest in stage
    if name == "COPY" and "--from" not in rest
]


def image_environment() -> dict[str, str]:
    """What the image sets."""
    words = [
        word for name, rest in STAGES[-1] if name == "ENV" for word in shlex.split(rest, posix=True)
    ]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    """What a service runs with: the image's, then its own, nothing set where compose is called."""
    own = {
        name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value))
        for name, value in service["environment"].items()
    }
    return image_environment() | own


def command_of(service: dict[str, Any]) -> list[str]:
    """What a service starts; where it names nothing, the image's."""
    return service.get("command") or json.loads(FINAL["CMD"])


class Container:
    """A service as a process: its code copied as the image's, its paths below a folder."""

    def __init__(self, service: dict[str, Any], folder: Path, host: PictureHost) -> None:
        self.code, self.data = folder / "app", folder / "data"
        self.temporary = folder / "tmp"
        for sources in COPIES:
            for source in sources[:-1]:
                if sources[-1].startswith("/app/"):
                    shutil.copytree(
                        ROOT / source,
                        folder / sources[-1].strip("/"),
                        ignore=shutil.ignore_patterns("__pycache__"),
                    )
        self.data.mkdir()
        self.temporary.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        paths = {"/app": self.code, DATA_ROOT: self.data}
        self.environment = {
            name: str(paths.get(value, value))
            for name, value in environment_of(service).items()
            if name != "PATH"
        } | {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.temporary),
            "CENSUS_PORT": str(self.port),
            "CENSUS_ALLOW_NETWORKS": f"127.0.0.1/32:{str(host).rpartition(':')[2]}",
        }
        self.health = service["healthcheck"]["test"]
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, command: list[str]) -> list[str]:
        """A command of the container as one of this machine."""
        assert command[0] == "python"
        return [sys.executable, "-W", "error", *command[1:]]

    def healthy(self) -> subprocess.CompletedProcess[str]:
        """What the health check says."""
        assert self.health[0] == "CMD"
        return subprocess.run(
            self.run(self.health[1:]),
            cwd=self.code,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def files(self) -> set[Path]:
        """All that stands in the code's folder, which is read-only in the container."""
        return set(self.code.rglob("*"))

    def post(self, query: str, body: bytes, content_type: str) -> list[dict[str, Any]]:
        """Post a request and read the whole answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Content-Type": content_type}
            connection.request("POST", f"/api/v1/images_info{query}", body, headers)
            response = connection.getresponse()
            assert response.status == 200, response.read()
            return [json.loads(line) for line in response]
        finally:
            connection.close()


@pytest.fixture(params=list(SERVICES))
def container(
    request: pytest.FixtureRequest, tmp_path: Path, picture_host: PictureHost
) -> Iterator[Container]:
    """A service of the compose file, running."""
    service = SERVICES[request.param]
    made = Container(service, tmp_path, picture_host)
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            made.run(command_of(service)),
            cwd=made.code,
            env=made.environment,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        try:
            made.process = process
            assert process.stdout is not None
            assert process.stdout.readline(), (tmp_path / "log").read_text(encoding="utf-8")
            yield made
        finally:
            process.kill()


def test_a_service_works_is_healthy_and_ends(
    container: Container, picture_host: PictureHost
) -> None:
    """Started, healthy, a census of a file and of an upload, then SIGTERM and no longer healthy."""
    assert container.process is not None
    code = container.files()
    assert container.healthy().returncode == 0

    rows = f"a\t{picture_host}/a\nb\tnonsense\n".encode()
    (container.data / "images.tsv").write_bytes(rows)
    for query, body, content_type in (
        ("?depth=full", rows, "text/tab-separated-values"),
        ("", b'{"filepath": "images.tsv"}', "application/json"),
    ):
        *records, summary = container.post(query, body, content_type)
        assert {line["id"]: bool(line["image_info"]) for line in records[1:]} == {
            "a": True,
            "b": False,
        }
        assert summary["complete"] is True

    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(20) == 0
    said = container.healthy()
    assert said.returncode == 1
    assert said.stderr.startswith("no answer: ")
    assert container.files() == code
    assert not list(container.temporary.iterdir())


@pytest.mark.parametrize("service", list(SERVICES))
def test_a_service_is_shut_in(service: str) -> None:
    """Nothing to be written but the data root and /tmp, no privileges, a loopback port, bounds."""
    said = SERVICES[service]
    assert said["read_only"] is True
    assert said["tmpfs"] == ["/tmp"]  # noqa: S108 - the container's
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in said
    assert all(port.startswith("127.0.0.1:") for port in said.get("ports", []))
    assert set(said["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert said["logging"]["options"].keys() == {"max-size", "max-file"}
    assert FINAL["USER"] == "10001:10001"


@pytest.mark.parametrize("service", list(SERVICES))
def test_settings_of_a_service_fit_the_container(service: str) -> None:
    """The data root is what is mounted, the port is what is published, the grace fits, no typo."""
    said = SERVICES[service]
    environment = environment_of(said)
    own = {name for name in environment if name.startswith("CENSUS_")}
    assert {name.removeprefix("CENSUS_").lower() for name in own} <= set(
        ServerSettings.model_fields
    )
    assert [volume.split(":")[1] for volume in said["volumes"]] == [DATA_ROOT]
    assert environment["CENSUS_DATA_ROOT"] == image_environment()["CENSUS_DATA_ROOT"] == DATA_ROOT
    assert [port.split(":")[2] for port in said["ports"]] == [environment["CENSUS_PORT"]]
    assert FINAL["EXPOSE"] == environment["CENSUS_PORT"]
    grace = environment.get("CENSUS_SHUTDOWN_GRACE") or ServerSettings().shutdown_grace
    assert int(said["stop_grace_period"].removesuffix("s")) > float(grace) + 5
    cpus = float(said["deploy"]["resources"]["limits"]["cpus"])
    assert int(environment["CENSUS_POOL_SLOTS"]) == cpus


def test_the_image_refuses_to_be_open_by_mistake() -> None:
    """The image alone listens on every address, without a key, and is not told to do without."""
    assert image_environment()["CENSUS_HOST"] == "0.0.0.0"
    assert not image_environment().keys() & {"CENSUS_OPEN", "CENSUS_API_KEY"}


def test_what_is_copied_is_there_and_is_all_of_it() -> None:
    """Every COPY names a file, every package of setup.py stands below what is copied to /app."""
    for *sources, _ in COPIES:
        for source in sources:
            assert (ROOT / source).exists(), source
    spec = importlib.util.spec_from_file_location("asking", ROOT / "scripts" / "requirements.py")
    assert spec is not None
    assert spec.loader is not None
    asking = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(asking)
    rooms = {package.partition(".")[0] for package in asking.asked_for()["packages"]}
    assert {target for *_, target in COPIES if target.startswith("/app")} == {
        f"/app/{room}" for room in rooms
    }


def sent(path: str) -> bool:
    """Whether .dockerignore lets a path through; of its patterns, the last that fits decides."""
    through = True
    parts = path.split("/")
    above = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        if pattern.startswith("**/"):
            fits = any(fnmatch(part, pattern.removeprefix("**/")) for part in parts)
        else:  # a `*` stands for no slash, and what fits a folder holds for all in it
            fits = any(
                fnmatch(folder, pattern)
                for folder in above
                if folder.count("/") == pattern.count("/")
            )
        if fits:
            through = line.startswith("!")
    return through


def test_the_builder_gets_nothing_but_what_is_copied() -> None:
    """Neither history nor environments nor data nor keys reach the builder."""
    for path in (
        ".git/config",
        ".venv/bin/python",
        ".env",
        "data/sample.tsv",
        "var/redis.sock",
        "tests/conftest.py",
        "server/__pycache__/app.cpython-311.pyc",
        "scripts/run",
    ):
        assert not sent(path), path
    for *sources, _ in COPIES:
        for source in sources:
            whole = ROOT / source.rstrip("/")
            assert sent(f"{source}/__init__.py" if whole.is_dir() else source), source


@pytest.mark.parametrize("extras", ["", "heif,parquet"])
def test_what_the_image_installs_is_pinned(extras: str) -> None:
    """scripts/requirements.py needs nothing installed, and constraints.txt pins all it names."""
    command = [sys.executable, "-S", "-I", str(ROOT / "scripts" / "requirements.py"), extras]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    names = [re.split(r"[<>=]", line)[0] for line in said.split()]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "aiohttp" in names
    assert ("pyarrow" in names) is bool(extras)
    assert [name for name in names if f"\n{name}==" not in pins] == []


def test_an_extra_that_is_none_stops_the_build() -> None:
    """A misspelt EXTRAS does not make an image without it."""
    command = [sys.executable, str(ROOT / "scripts" / "requirements.py"), "heic"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert said.returncode == 2
    assert "there are heif, parquet" in said.stderr


def test_versions_agree() -> None:
    """The label and the tag tell the version of the code."""
    assert f'version="{VERSION}"' in FINAL["LABEL"]
    for service in SERVICES.values():
        assert service["image"] == f"imagecensus:{VERSION}"


def test_the_health_check_is_one() -> None:
    """The image's and every service's are the same command."""
    command = json.loads(FINAL["HEALTHCHECK"].partition("CMD ")[2])
    for service in SERVICES.values():
        assert service["healthcheck"]["test"] == ["CMD", *command]


@pytest.mark.parametrize(
    ("host", "asked"),
    [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("localhost", "localhost")],
)
def test_the_health_check_asks_where_the_server_listens(
    host: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever CENSUS_HOST; another status than 200, or no HTTP at all, is not healthy."""
    family = socket.AF_INET6 if ":" in asked else socket.AF_INET
    with socket.create_server((asked, 0), family=family) as server:
        server.settimeout(10)
        monkeypatch.setenv("CENSUS_HOST", host)
        monkeypatch.setenv("CENSUS_PORT", str(server.getsockname()[1]))
        assert {line: answered(server, line) for line in (b"HTTP/1.1 200 OK", b"nonsense")} == {
            b"HTTP/1.1 200 OK": 0,
            b"nonsense": 1,
        }
        assert answered(server, b"HTTP/1.1 503 Service Unavailable") == 1


def answered(server: socket.socket, line: bytes) -> int:
    """What the health check makes of one answer."""

    def answer() -> None:
        with suppress(TimeoutError):
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1000).startswith(b"GET /healthz HTTP/1.1\r\n")
                connection.sendall(line + b"\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        return healthcheck.main()
    finally:
        thread.join(10)


def test_a_health_check_of_no_settings_asks_the_servers_defaults() -> None:
    """It reads no settings module, so it has their defaults once more."""
    settings = ServerSettings()
    assert {"CENSUS_HOST": settings.host, "CENSUS_PORT": str(settings.port)} == healthcheck.DEFAULTS
