"""Measure the census beside what it is compared with. Started by `scripts/bench`.

bench info           images_info beside a bare loop and the predecessor's way
bench profile-info   where the time of a row goes
bench jobs           jobs: one consumer and two, small ones behind a large one, memory
"""

import argparse
import sys
from pathlib import Path


def _options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--folder", type=Path, help="serve the pictures of this folder instead of made ones")
    add("--rows", type=_positive, default=5004, help="of the manifest (%(default)s)")
    add("--runs", type=_positive, default=3, help="turns; medians are told (%(default)s)")

    add = parts.add_parser("info", parents=[common], help="images_info").add_argument
    add("--latency-ms", type=float, nargs="+", default=[0, 50], metavar="MS", help="of the host")
    add("--connections", type=_positive, nargs="+", default=[64, 256], metavar="N")
    add(
        "--predecessor-rows",
        type=_positive,
        default=300,
        metavar="N",
        help="rows it is given where the host is late; it takes one after the other (%(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures of every turn there")

    add = parts.add_parser("profile-info", parents=[common], help="profile it").add_argument
    add("--latency-ms", type=float, default=0, metavar="MS", help="of the host")
    add("--connections", type=_positive, default=64, metavar="N")

    add = parts.add_parser("jobs", help="jobs on Redis Streams").add_argument
    add("--rows", type=_positive, default=20_000, help="for one consumer and two (%(default)s)")
    add("--runs", type=_positive, default=3, help="turns; medians are told (%(default)s)")
    add("--latency-ms", type=float, default=50, metavar="MS", help="of the host (%(default)s)")
    add("--times", type=_positive, default=20, help="small jobs (%(default)s)")
    add("--large-rows", type=_positive, default=100_000, help="of the large job (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    if getattr(options, "folder", None) and not options.folder.is_dir():
        parser.error(f"--folder: {options.folder} is not a folder")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def main() -> int:
    """Run the part asked for; returns the exit code."""
    options = _options()
    # Late, on purpose: children of a process pool look at their parent's main module.
    if options.part == "info":
        import bench_info

        return bench_info.measure(options)
    if options.part == "jobs":
        import bench_jobs

        return bench_jobs.measure(options)
    import bench_profile

    return bench_profile.show(options)


if __name__ == "__main__":
    sys.exit(main())
