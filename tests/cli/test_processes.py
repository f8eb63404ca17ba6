"""`imagecensus serve` and `work` are the programs themselves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests import redis_servers
from tests.cli.asking import PROGRAM, ROOT, ask, environment


def test_serve_becomes_the_server(tmp_path: Path) -> None:
    """The same process, whatever lies in the folder it is started in; SIGTERM ends it with 0."""
    for name in ("server.py", "workers.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong one')", encoding="utf-8")
    with (
        redis_servers.folder() as folder,
        subprocess.Popen(
            [PROGRAM, "serve", "--port", "0", "--data-root", str(tmp_path)],
            cwd=tmp_path,
            env=environment(VAR=str(folder), POOL_SLOTS="1", SERVER="http://127.0.0.1:1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        ready = json.loads(process.stdout.readline())
        listed = ask("status", server=ready["url"])
        log = [json.loads(process.stderr.readline())]
        while log[-1].get("action") not in ("consumer_ready", "consumer_died"):
            log.append(json.loads(process.stderr.readline()))
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)

    assert listed.stdout == "there are no jobs\n"
    assert log[-1]["action"] == "consumer_ready"
    assert [line for line in log if line.get("action") == "unknown_setting"] == []
    assert process.returncode == 0


def test_settings_are_shown_as_they_come_out() -> None:
    """An option is the setting of its name, and wins."""
    served = ask("serve", "--port=1", "--host", "::1", "--show-settings", server="", PORT="2")
    worked = ask("work", "--redis-url", "redis://a:1", "--show-settings", server="")

    assert (served.returncode, worked.returncode) == (0, 0), served.stderr + worked.stderr
    assert "CENSUS_PORT=1\n" in served.stdout
    assert "CENSUS_HOST=::1\n" in served.stdout
    assert "CENSUS_REDIS_URL=**********\n" in worked.stdout


def test_their_exit_codes_are_theirs() -> None:
    """What is wrong is told by the program that was started."""
    served = ask("serve", "--host", "0.0.0.0", server="", API_KEY="")
    worked = ask("work", "--kinds", "nothing", "--no-intake", server="")

    assert (served.returncode, worked.returncode) == (2, 2)
    assert "CENSUS_OPEN" in served.stderr
    assert "'nothing' is none of images_info, batch_predict" in worked.stderr


def test_in_a_clone_that_is_not_installed(tmp_path: Path) -> None:
    """The packages beside the command are found, and no others."""
    (tmp_path / "server.py").write_text("raise SystemExit('the wrong one')", encoding="utf-8")
    code = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'ditable' not in repr(f)];"
        f"sys.path.insert(0, {str(ROOT)!r});"
        "sys.argv = ['imagecensus', 'serve', '--show-settings'];"
        "from scripts.cli.entry import main; main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "CENSUS_PORT=5000\n" in done.stdout
