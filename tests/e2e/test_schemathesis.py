"""The running service, tried by what its own description says: schemathesis, all its checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.openapi.document import PATH, describe
from tests.e2e.serving import ROOT, ServerProcess

KEY = "0123456789abcdef-key"
CONFIG = ROOT / "tests" / "e2e" / "schemathesis.toml"
#: Made-up requests for each operation, besides some hundreds at the boundaries. More are asked for
#: by this variable, and then they are others each time.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "")


@pytest.mark.timeout(3600 if EXAMPLES else 400)
def test_it_does_what_its_description_says(
    start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    """Examples, boundaries, made-up data right and wrong, and chains of requests: no failure.

    The server has a key, its own Redis and a consumer; nothing that rows name may be reached.
    """
    server = start(REDIS_URL="", ALLOW_NETWORKS="", API_KEY=KEY)
    (tmp_path / "data" / "images.tsv").write_text("id\turl\n17\thttp://10.0.0.1/17.jpg\n18\tfoo\n")
    report = tmp_path / "report.json"
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={CONFIG}",
        "run",
        f"http://127.0.0.1:{server.port}{PATH}",
        f"--header=Authorization: Bearer {KEY}",
        "--checks=all",
        "--continue-on-failure",
        f"--max-examples={EXAMPLES or 10}",
        *([] if EXAMPLES else ["--generation-deterministic"]),
        "--request-timeout=20",
        "--no-color",
        f"--report-json-path={report}",
    ]

    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    told = json.loads(report.read_text(encoding="utf-8"))
    operations = [
        f"{method.upper()} {path}"
        for path, methods in describe(keyed=True)["paths"].items()
        for method in methods
    ]
    operations.remove(f"GET {PATH}")  # it is asked before all others
    assert sorted(told["valid_rates"]) == sorted(operations)
    assert {phase["status"] for phase in told["phases"].values()} == {"success"}
    assert told["test_cases"]["generated"] > 1000
    assert told["failures"] == told["errors"] == []
    assert [line for line in server.logs() if line["level"] in ("error", "critical")] == []
