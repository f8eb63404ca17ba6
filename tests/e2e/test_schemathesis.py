"""The running service, tried by what its own description says: schemathesis, all its checks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from server.openapi.document import PATH, describe
from tests.e2e.serving import ROOT, ServerProcess

KEY = "0123456789abcdef-key"
CONFIG = ROOT / "tests" / "e2e" / "schemathesis.toml"
#: Of these every operation has some dozens; `SCHEMATHESIS_EXAMPLES` asks for more.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "10")


@pytest.mark.timeout(900)
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
        str(Path(os.sys.executable).with_name("schemathesis")),  # type: ignore[attr-defined]
        f"--config-file={CONFIG}",
        "run",
        f"http://127.0.0.1:{server.port}{PATH}",
        f"--header=Authorization: Bearer {KEY}",
        "--checks=all",
        "--continue-on-failure",
        f"--max-examples={EXAMPLES}",
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
        timeout=850,
    )

    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    told = json.loads(report.read_text(encoding="utf-8"))
    print(json.dumps(told)[:3000])
    described = [1 for methods in describe(keyed=True)["paths"].values() for _ in methods]
    assert len(described) == 17
    assert "errors" not in {line["level"] for line in server.logs()}
