"""Where a contestant is sent: a picture host, the manifest of its addresses, and how late it is."""

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import bench_processes as processes
from bench_census import write_manifest

__all__ = ["Place", "open_places"]


@dataclass(frozen=True, slots=True)
class Place:
    """A host to ask, its manifest, and how late it answers."""

    host: processes.PictureHost
    manifest: Path
    latency_ms: float


def open_places(stack: ExitStack, root: Path, options: argparse.Namespace) -> list[Place]:
    """A host process for each latency, ended with the stack; the manifests lie in *root*."""
    places = []
    for latency_ms in options.latency_ms:
        host = stack.enter_context(processes.picture_host(options.folder, latency_ms))
        manifest = write_manifest(root, host.url, options.rows, f"images-{latency_ms:g}.tsv")
        places.append(Place(host, manifest, latency_ms))
    return places
