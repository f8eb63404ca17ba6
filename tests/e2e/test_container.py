"""The image and the composed services, without an engine: what they start, run as processes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import site
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatch
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from pydantic import ByteSize, TypeAdapter
from redis.exceptions import NoPermissionError

from server import healthcheck
from server.settings import ServerSettings
from tests.asserts import eventually
from tests.picture_hosts import PictureHost
from tests.redis_servers import RedisServer
from workers.settings import VERSION

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
#: Those of the image of the Dockerfile.
OURS = [name for name, service in SERVICES.items() if "build" in service]
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


def environment_of(service: str) -> dict[str, str]:
    """What one of ours runs with: the image's, its own, nothing set where compose is called."""
    own = {
        name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value))
        for name, value in SERVICES[service]["environment"].items()
    }
    return image_environment() | own


def command_of(service: dict[str, Any]) -> list[str]:
    """What a service starts; where it names nothing, the image's."""
    return service.get("command") or json.loads(FINAL["CMD"])


class Composition:
    """The services as processes: one copy of the image's code, what is mounted below a folder."""

    def __init__(self, folder: Path, host: PictureHost, redis: Path) -> None:
        self.code, self.data, self.temporary = folder / "app", folder / "data", folder / "tmp"
        self.log = folder / "log"
        for sources in COPIES:
            for source in sources[:-1]:
                if sources[-1].startswith("/app/"):
                    shutil.copytree(
                        ROOT / source,
                        folder / sources[-1].strip("/"),
                        ignore=shutil.ignore_patterns("__pycache__"),
                    )
        for place in (self.data, self.temporary, folder / "redis"):
            place.mkdir()
        self._folders = {"redis": folder / "redis"}
        self._redis = redis
        self._allowed = f"127.0.0.1/32:{host.port}"
        self.ports = {"server": free_port(), "redis": free_port()}

    def environment(self, name: str) -> dict[str, str]:
        """That of a service, with paths and ports of this machine."""
        if name == "redis":
            return {"PATH": os.environ["PATH"]}
        places = {
            "/app": str(self.code),
            DATA_ROOT: str(self.data),
            "redis://redis:6379": f"redis://127.0.0.1:{self.ports['redis']}",
        }
        said = {key: places.get(value, value) for key, value in environment_of(name).items()}
        ours = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.temporary),
            "CENSUS_ALLOW_NETWORKS": self._allowed,
        }
        if name == "server":
            ours["CENSUS_PORT"] = str(self.ports["server"])
        return said | ours

    def command(self, words: list[str]) -> list[str]:
        """A command of a container as one of this machine."""
        port = str(self.ports["redis"])
        if words[0] == "python":
            return [sys.executable, "-W", "error", *words[1:]]
        if words[0] == "redis-server":
            return [str(self._redis), *words[1:], "--port", port, "--bind", "127.0.0.1"]
        assert words[0].startswith("redis-cli ")
        client = shlex.quote(str(find_client(self._redis)))
        return ["/bin/sh", "-c", f"{client} -p {port} {words[0].removeprefix('redis-cli ')}"]

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """A service, up."""
        with (
            self.log.open("ab") as log,
            subprocess.Popen(
                self.command(command_of(SERVICES[name])),
                cwd=self._folders.get(name, self.code),
                env=self.environment(name),
                stdout=log if name == "redis" else subprocess.PIPE,
                stderr=log,
            ) as process,
        ):
            try:
                if process.stdout is None:
                    eventually(lambda: self.healthy(name).returncode == 0)
                else:
                    assert process.stdout.readline(), self.log.read_text(encoding="utf-8")
                yield process
            finally:
                process.kill()

    def healthy(self, name: str) -> subprocess.CompletedProcess[str]:
        """What the health check of a service says."""
        how, *words = SERVICES[name]["healthcheck"]["test"]
        assert how == ("CMD-SHELL" if name == "redis" else "CMD")
        return subprocess.run(
            self.command(words),
            cwd=self._folders.get(name, self.code),
            env=self.environment(name),
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
        connection = HTTPConnection("127.0.0.1", self.ports["server"], timeout=30)
        try:
            headers = {"Content-Type": content_type}
            connection.request("POST", f"/api/v1/images_info{query}", body, headers)
            response = connection.getresponse()
            assert response.status == 200, response.read()
            return [json.loads(line) for line in response]
        finally:
            connection.close()

    def client(self) -> redis.Redis:
        """A client of the service redis, to be closed."""
        return redis.Redis(port=self.ports["redis"], decode_responses=True)


def free_port() -> int:
    """One nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def find_client(server: Path) -> Path:
    """redis-cli or valkey-cli: on PATH, in .venv, beside the server."""
    places = (None, str(Path(sys.executable).parent), str(server.parent))
    found = (shutil.which(name, path=at) for at in places for name in ("redis-cli", "valkey-cli"))
    return Path(next(filter(None, found)))


@pytest.fixture
def composition(tmp_path: Path, picture_host: PictureHost, redis_binary: Path) -> Composition:
    """The services of the compose file, none of them started."""
    return Composition(tmp_path, picture_host, redis_binary)


def test_the_services_do_jobs_are_healthy_and_end(
    composition: Composition, picture_host: PictureHost
) -> None:
    """All up and healthy: a census of a file, of an upload and as a job, then SIGTERM to each."""
    code = composition.files()
    rows = f"a\t{picture_host}/a\nb\tnonsense\n".encode()
    (composition.data / "images.tsv").write_bytes(rows)
    with ExitStack() as stack:
        names = ("redis", "server", "consumer")
        up = {name: stack.enter_context(composition.running(name)) for name in names}
        assert {name: composition.healthy(name).returncode for name in up} == dict.fromkeys(up, 0)

        for query, body, content_type in (
            ("?depth=full", rows, "text/tab-separated-values"),
            ("", b'{"filepath": "images.tsv"}', "application/json"),
        ):
            *records, summary = composition.post(query, body, content_type)
            assert summary["complete"] is True
            assert told(records[1:]) == {"a": True, "b": False}

        with composition.client() as client:
            job = str(client.xadd("census:jobs", {"kind": "images_info", "filepath": "images.tsv"}))
            eventually(lambda: client.hget(f"{{census:jobs}}:job:{job}", "state") == "done")
        assert told(recorded(composition, job)) == {"a": True, "b": False}

        for name in ("consumer", "server"):
            up[name].send_signal(signal.SIGTERM)
            assert up[name].wait(20) == 0
            said = composition.healthy(name)
            assert (name, said.returncode) == (name, 1)
            assert len(said.stderr.splitlines()) == 1
        up["redis"].kill()
        up["redis"].wait(20)
        assert composition.healthy("redis").returncode == 1
    with composition.running("redis") as again:
        assert told(recorded(composition, job)) == {"a": True, "b": False}
        again.send_signal(signal.SIGTERM)
        assert again.wait(20) == 0
    assert composition.files() == code
    assert not list(composition.temporary.iterdir())


def told(records: list[dict[str, Any]]) -> dict[str, bool]:
    """Of which rows there are facts, by id."""
    return {record["id"]: bool(record["image_info"]) for record in records}


def recorded(composition: Composition, job: str) -> list[dict[str, Any]]:
    """The records of a job."""
    with composition.client() as client:
        shards = client.xrange(f"{{census:jobs}}:results:{job}")
    return [json.loads(line) for _, shard in shards for line in shard["lines"].splitlines()]


def test_consumers_share_a_job_when_there_are_several(
    composition: Composition, picture_host: PictureHost
) -> None:
    """`--scale consumer=2`: no name, port or file that the second cannot have as well."""
    assert not SERVICES["consumer"].keys() & {"container_name", "ports", "hostname"}
    rows = "".join(f"{row}\t{picture_host}/{row}\n" for row in range(2000))
    (composition.data / "images.tsv").write_text(rows)
    with ExitStack() as stack:
        for name in ("redis", "consumer", "consumer"):
            stack.enter_context(composition.running(name))
        with composition.client() as client:
            job = str(client.xadd("census:jobs", {"kind": "images_info", "filepath": "images.tsv"}))
            eventually(lambda: client.hget(f"{{census:jobs}}:job:{job}", "state") == "done")
            assert len(client.hgetall("{census:jobs}:consumers")) == 2
            groups = client.xinfo_consumers("{census:jobs}:shards:images_info", "census")
        assert len(groups) == 2
        assert sorted(record["index"] for record in recorded(composition, job)) == list(range(2000))


@pytest.mark.parametrize("service", ["server", "consumer"])
def test_without_a_redis_the_image_says_what_it_lacks(
    composition: Composition, service: str, tmp_path: Path
) -> None:
    """There is no Redis in it: exit code 2, and one sentence that names the setting."""
    # Beside this Python, where a Redis is looked for too, there may be one.
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    said = {
        **image_environment(),
        "PATH": str(python.parent),
        "PYTHONPATH": os.pathsep.join([str(composition.code), *site.getsitepackages()]),
        "CENSUS_OPEN": "1",
        "CENSUS_VAR": str(tmp_path / "var"),
        "CENSUS_DATA_ROOT": str(composition.data),
    }
    done = subprocess.run(
        [str(python), *command_of(SERVICES[service])[1:]],
        cwd=composition.code,
        env=said,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "CENSUS_REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_var_of_the_image_can_be_written_to() -> None:
    """For an image made of this one that has a Redis: outside the code, the user's, not a mount."""
    place = image_environment()["CENSUS_VAR"]
    (made,) = [rest for name, rest in STAGES[-1] if name == "RUN" and "mkdir" in rest]
    _, owned = made.split(" && ")
    assert place in owned.split()[2:]
    assert DATA_ROOT in owned.split()[2:]
    assert owned.startswith(f"chown {FINAL['USER']} ")


@pytest.mark.parametrize("service", list(SERVICES))
def test_a_service_is_shut_in(service: str) -> None:
    """Nothing to be written but what is mounted and /tmp, no privileges, loopback ports, bounds."""
    said = SERVICES[service]
    assert said["read_only"] is True
    assert said["tmpfs"] == ["/tmp"]  # noqa: S108 - the container's
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in said
    assert all(port.startswith("127.0.0.1:") for port in said.get("ports", []))
    assert set(said["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert said["logging"]["options"].keys() == {"max-size", "max-file"}
    assert not said.get("user", FINAL["USER"]).startswith(("0", "root"))
    assert said["restart"] == "unless-stopped"


def test_redis_is_for_the_services_alone() -> None:
    """No published port, a network without a way out, an image of a told version."""
    said = SERVICES["redis"]
    assert "ports" not in said
    assert said["networks"] == ["queue"]
    assert COMPOSE["networks"]["queue"]["internal"] is True
    assert re.fullmatch(r"redis:\d+\.\d+-alpine", said["image"])


def test_redis_keeps_what_it_is_told() -> None:
    """Append-only in a named volume, nothing evicted; a job pauses before its memory is full."""
    said = SERVICES["redis"]
    words = said["command"][1:]
    flags = dict(zip(words[::2], words[1::2], strict=True))
    assert flags["--appendonly"] == "yes"
    assert flags["--appendfsync"] == "everysec"
    assert flags["--maxmemory-policy"] == "noeviction"
    assert said["volumes"] == ["redis:/data"]
    assert "redis" in COMPOSE["volumes"]
    most = TypeAdapter(ByteSize).validate_python
    limit = most(flags["--maxmemory"].replace("gb", "GiB"))
    assert 2 * limit <= most(said["deploy"]["resources"]["limits"]["memory"] + "iB")
    assert 2 * most(environment_of("server")["CENSUS_MAX_REDIS_RESULTS"]) <= limit


@pytest.mark.parametrize("service", OURS)
def test_settings_of_a_service_fit_the_container(service: str) -> None:
    """The data root is what is mounted, for all the same, the grace fits, no typo."""
    said = SERVICES[service]
    environment = environment_of(service)
    own = {name for name in environment if name.startswith("CENSUS_")}
    assert {name.removeprefix("CENSUS_").lower() for name in own} <= set(
        ServerSettings.model_fields
    )
    assert said["volumes"] == [f"./data:{DATA_ROOT}"]
    assert environment["CENSUS_DATA_ROOT"] == image_environment()["CENSUS_DATA_ROOT"] == DATA_ROOT
    assert environment["CENSUS_REDIS_URL"] == "redis://redis:6379"
    assert said["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert "queue" in said["networks"]
    grace = environment.get("CENSUS_SHUTDOWN_GRACE") or ServerSettings().shutdown_grace
    assert int(said["stop_grace_period"].removesuffix("s")) > float(grace) + 5
    cpus = float(said["deploy"]["resources"]["limits"]["cpus"])
    assert int(environment["CENSUS_POOL_SLOTS"]) == cpus


def test_the_published_port_is_the_servers() -> None:
    """And the one that the image tells of."""
    port = environment_of("server")["CENSUS_PORT"]
    assert SERVICES["server"]["ports"] == [f"127.0.0.1:5000:{port}"]
    assert FINAL["EXPOSE"] == port


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
    packages = set(asking.asked_for()["packages"])
    rooms = {package for package in packages if package.rpartition(".")[0] not in packages}
    assert {target for *_, target in COPIES if target.startswith("/app")} == {
        f"/app/{room.replace('.', '/')}" for room in rooms
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
    names = [re.split(r"[\[<>=]", line)[0] for line in said.split()]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "aiohttp" in names
    assert ("pyarrow" in names) is bool(extras)
    assert [name for name in names if f"\n{name}==" not in pins] == []


def test_an_extra_that_is_none_stops_the_build() -> None:
    """A misspelt EXTRAS does not make an image without it."""
    command = [sys.executable, str(ROOT / "scripts" / "requirements.py"), "heic"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert said.returncode == 2
    assert "there are heif, onnx, otel, parquet" in said.stderr


def test_versions_agree() -> None:
    """The label and the tag tell the version of the code."""
    assert f'version="{VERSION}"' in FINAL["LABEL"]
    for service in OURS:
        assert SERVICES[service]["image"] == f"imagecensus:{VERSION}"


def test_the_health_check_is_that_of_the_program() -> None:
    """The image's is the server's, as its command is; each service has that of its own."""
    command = json.loads(FINAL["HEALTHCHECK"].partition("CMD ")[2])
    assert SERVICES["server"]["healthcheck"]["test"] == ["CMD", *command]
    for service in OURS:
        *python, room = command_of(SERVICES[service])
        assert SERVICES[service]["healthcheck"]["test"] == ["CMD", *python, f"{room}.healthcheck"]


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


def test_users_of_redis_may_do_what_they_need(
    redis_server: Callable[..., RedisServer], tmp_path: Path, picture_host: PictureHost
) -> None:
    """Those of docs/deploying.md: one hands a job in and can do no more, the other does it."""
    text = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    users = re.findall(r"^user (\S+) on >(\S+) (.*)$", text, re.MULTILINE)
    assert [name for name, *_ in users] == ["injector", "census"]
    server = redis_server(appendonly="yes")
    clients = {}
    for name, password, rules in users:
        server.call("ACL", "SETUSER", name, "on", f">{password}", *rules.split())
        clients[name] = redis.Redis(
            unix_socket_path=str(server.socket), username=name, password=password
        )
    (tmp_path / "images.tsv").write_text(f"a\t{picture_host}/a\nb\tnonsense\n")
    environment = {
        **os.environ,
        "CENSUS_REDIS_URL": f"{server.url}?username=census&password={users[1][1]}",
        "CENSUS_DATA_ROOT": str(tmp_path),
        "CENSUS_ALLOW_NETWORKS": "127.0.0.0/8",
        "CENSUS_POOL_SLOTS": "1",
    }
    with ExitStack() as stack:
        for client in clients.values():
            stack.callback(client.close)
        log = stack.enter_context((tmp_path / "log").open("w+b"))
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "workers"],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        )
        stack.callback(process.kill)
        fields = {"kind": "images_info", "filepath": "images.tsv"}
        job = clients["injector"].xadd("census:jobs", fields).decode()
        eventually(lambda: server.call("HGET", f"{{census:jobs}}:job:{job}", "state") == b"done")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert b"redis_trouble" not in (tmp_path / "log").read_bytes()
        for command in ("XRANGE census:jobs - +", "XTRIM census:jobs MAXLEN 0", "XADD other * a b"):
            with pytest.raises(NoPermissionError):
                clients["injector"].execute_command(*command.split())
        for command in ("FLUSHALL", "KEYS *", "SET other 1", "CONFIG GET *"):
            with pytest.raises(NoPermissionError):
                clients["census"].execute_command(*command.split())
