"""Examples in the description. A test sends each request of these to a running service."""

from __future__ import annotations

from typing import Any

from workers.manifest.kinds import Kind

__all__ = ["FILE", "JOB", "bodies", "lines", "manifest"]

#: A manifest below the data root: that of the demo, so that the examples can be sent as they are.
FILE = "sample.tsv"
JOB = "1763848000000-0"

_URLS = ("https://example.org/17.jpg", "https://example.org/18.png")
_ROWS = [{"id": "17", "url": _URLS[0]}, {"id": "18", "url": _URLS[1]}]

_BODIES: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "images_info": {
        "file": ("A manifest below the data root", {"filepath": FILE}),
        "rows": ("Rows in the request", {"images": _ROWS}),
        "urls": ("URLs alone, the first only", {"images": list(_URLS), "limit": 1}),
        "full": (
            "Decoded, hashed, with thumbnails",
            {"images": _ROWS, "depth": "full", "thumbnail": 96, "timeout": 5},
        ),
        "extra": (
            "Other members of a row in its record",
            {"images": [{"id": "17", "url": _URLS[0], "shelf": "A4"}], "extra": True},
        ),
    },
    "batch_predict": {
        "file": ("A manifest below the data root", {"filepath": FILE, "batch_size": 32}),
        "rows": ("Rows in the request", {"images": _ROWS}),
        "prepared": (
            "Pictures of another size, and their arrays",
            {
                "images": _ROWS,
                "batch_size": 2,
                "predictor": "none",
                "size": [224, 160],
                "fit": "pad",
                "matte": "black",
                "filter": "lanczos",
                "pixels": "npy",
            },
        ),
    },
}
#: Of streams only.
_ORDERED = ("In manifest order", {"images": _ROWS, "ordered": True})

_MANIFESTS = {
    Kind.TSV: "id\turl\n17\thttps://example.org/17.jpg\n18\thttps://example.org/18.png\n",
    Kind.CSV: "id,url\n17,https://example.org/17.jpg\n18,https://example.org/18.png\n",
    Kind.NDJSON: '{"id":"17","url":"https://example.org/17.jpg"}\n"https://example.org/18.png"\n',
}

_FETCH = (
    '"fetch":{"status":200,"bytes":16384,"attempts":1,"requests":1,"ms":31.2,'
    '"size_source":"content_range","final_url":null,"content_type":"image/jpeg","etag":null,'
    '"last_modified":null}'
)
_START = (
    '{"type":"start","schema":1,"kind":"images_info","job":%s,"manifest":"sample.tsv","options":'
    '{"depth":"header","ordered":false,"limit":null,"timeout":null,"thumbnail":null,"extra":false,'
    '"changes":false}}\n'
)
_IMAGES = (
    '{"type":"image","index":0,"id":"17","url":"https://example.org/17.jpg","image_info":'
    '{"image_size":120345,"image_dimension":[800,600],"image_format":"JPEG","image_mode":"RGB",'
    '"orientation":1,"animated":false},' + _FETCH + "}\n"
    '{"type":"image","index":1,"id":"18","url":"https://example.org/18.png","image_info":null,'
    '"error":{"code":"dns_not_found","stage":"fetch","message":"the host name does not exist",'
    '"retryable":false},"fetch":null}\n'
)
_SUMMARY = (
    '{"type":"summary","rows":2,"ok":1,"failed":1,"errors":{"dns_not_found":1},"http_statuses":{},'
    '"bytes":16384,"seconds":0.1,"manifest_sha256":null,"complete":true%s}\n'
)
_BATCH = (
    '{"type":"start","schema":1,"kind":"batch_predict","job":null,"manifest":null,"options":'
    '{"batch_size":32,"predictor":"none","size":null,"fit":"stretch","matte":"#ffffff",'
    '"filter":"bicubic","pixels":"none","ordered":false,"limit":null,"timeout":null,'
    '"extra":false}}\n'
    '{"type":"batch","batch":0,"batch_dimension":[1,3,64,64],"predictor":"none","rows":['
    '{"index":0,"id":"17","url":"https://example.org/17.jpg","position":0,"prediction":{}},'
    '{"index":1,"id":"18","url":"https://example.org/18.png","error":{"code":"dns_not_found",'
    '"stage":"fetch","message":"the host name does not exist","retryable":false}}]}\n'
) + _SUMMARY % ""
_STREAMS = {
    "images_info": _START % "null" + _IMAGES + _SUMMARY % "",
    "batch_predict": _BATCH,
    "results": _START % f'"{JOB}"'
    + _IMAGES
    + '{"type":"progress","done":2,"failed":1,"cursor":"1763848000100-0"}\n'
    + _SUMMARY % ',"cursor":"1763848000100-0"',
}


def bodies(kind: str, *, job: bool) -> dict[str, Any]:
    """Requests as JSON, of a stream or of a job."""
    found = dict(_BODIES[kind]) if job else {**_BODIES[kind], "ordered": _ORDERED}
    return {name: {"summary": said, "value": value} for name, (said, value) in found.items()}


def manifest(kind: Kind) -> dict[str, Any]:
    """A manifest as the body, of a kind that is text."""
    return {"rows": {"summary": "Two rows", "value": _MANIFESTS[kind]}}


def lines(name: str) -> dict[str, Any]:
    """An answer of `images_info`, `batch_predict` or `results`, whole."""
    return {"whole": {"summary": "A whole answer", "value": _STREAMS[name]}}
