"""How the predecessor worked: one `requests` session, one picture after the other, whole bodies.

    python scripts/bench_predecessor.py MANIFEST ROWS

Each body is opened by Pillow for size, format and dimension. Its service's own work beside that
(pandas, Flask, the JSON object) is left out, in its favour. Prints one line of JSON; only the
loop itself is measured.
"""

import json
import sys
import time
from io import BytesIO
from pathlib import Path

import requests
from bench_bare import addresses
from PIL import Image

__all__: list[str] = []


def main() -> int:
    """Measure once and say the result."""
    urls = addresses(Path(sys.argv[1]))[: int(sys.argv[2])]
    facts = []
    received = 0
    with requests.Session() as session:
        session.get(urls[0], timeout=30)  # opens the connection
        Image.init()
        cpu, began = time.process_time(), time.perf_counter()
        for url in urls:
            body = session.get(url, timeout=30).content
            received += len(body)
            with Image.open(BytesIO(body)) as picture:
                facts.append((len(body), picture.size, picture.format))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"rows": len(facts), "seconds": seconds, "cpu": cpu, "bytes": received}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
