"""Measure the census beside what it is compared with. Started by `scripts/bench`.

bench info           images_info beside a bare loop and the predecessor's way
bench predict        batch_predict beside a tight loop, the predecessor's way and img2dataset
bench profile-info   where the time of a row goes
bench jobs           jobs: one consumer and two, small ones behind a large one, memory
bench page           the page in Chromium, with 100,000 records
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")

    add = parts.add_parser("info", parents=[_common(5004)], help="images_info").add_argument
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

    add = parts.add_parser("predict", parents=[_common(5005)], help="batch_predict").add_argument
    add("--sizes", type=_positive, nargs="+", default=[64, 224], metavar="PX", help="a side")
    add("--latency-ms", type=float, nargs="+", default=[0, 50], metavar="MS", help="of the host")
    add("--connections", type=_positive, default=64, metavar="N", help="(%(default)s)")
    add(
        "--predecessor-rows",
        type=_positive,
        default=300,
        metavar="N",
        help="rows it is given; it takes one after the other (%(default)s)",
    )
    add("--img2dataset", action="store_true", help="compare with it too; installs it if need be")
    add(
        "--img2dataset-venv",
        type=Path,
        default=ROOT / ".bench" / "img2dataset",
        metavar="DIR",
        help="the virtual environment it is, or will be, installed in (.bench/img2dataset)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures of every turn there")

    add = parts.add_parser("profile-info", parents=[_common(5004)], help="profile it").add_argument
    add("--latency-ms", type=float, default=0, metavar="MS", help="of the host")
    add("--connections", type=_positive, default=64, metavar="N")

    add = parts.add_parser("jobs", help="jobs on Redis Streams").add_argument
    add("--rows", type=_positive, default=20_000, help="for one consumer and two (%(default)s)")
    add("--runs", type=_positive, default=3, help="turns; medians are told (%(default)s)")
    add("--latency-ms", type=float, default=50, metavar="MS", help="of the host (%(default)s)")
    add("--times", type=_positive, default=20, help="small jobs (%(default)s)")
    add("--large-rows", type=_positive, default=100_000, help="of the large job (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the figures there")

    add = parts.add_parser("page", parents=[_common(100_000)], help="the page").add_argument
    add("--json", type=Path, metavar="FILE", help="write the figures of every turn there")
    options = parser.parse_args(arguments)
    if getattr(options, "folder", None) and not options.folder.is_dir():
        parser.error(f"--folder: {options.folder} is not a folder")
    return options


def _common(rows: int) -> argparse.ArgumentParser:
    """What several parts ask; a new one for each, as defaults are shared with an argument."""
    parser = argparse.ArgumentParser(add_help=False)
    add = parser.add_argument
    add("--folder", type=Path, help="serve the pictures of this folder instead of made ones")
    add("--rows", type=_positive, default=rows, help="of the manifest (%(default)s)")
    add("--runs", type=_positive, default=3, help="turns; medians are told (%(default)s)")
    return parser


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
    if options.part == "predict":
        import bench_predict

        return bench_predict.measure(options)
    if options.part == "jobs":
        import bench_jobs

        return bench_jobs.measure(options)
    if options.part == "page":
        import bench_page

        return bench_page.measure(options)
    import bench_profile

    return bench_profile.show(options)


if __name__ == "__main__":
    sys.exit(main())
