# The newest Python the tests ran on; any from 3.11 on.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
# Extras of setup.py. `parquet` (pandas, pyarrow) would make the image 250 MB larger, `onnx` 80 MB,
# `otel` (traces) 14 MB.
ARG EXTRAS=heif
ENV PATH=/opt/venv/bin:$PATH
RUN python3 -m venv /opt/venv
WORKDIR /build
# What is installed, at the tried versions. No code yet: this layer stays until these files change.
COPY constraints.txt setup.py ./
COPY scripts/requirements.py scripts/
# setup.py reads README.md; pip itself is of no use in the image.
RUN touch README.md \
    && python scripts/requirements.py "$EXTRAS" > requirements.txt \
    && pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -r requirements.txt \
    && pip uninstall --yes --quiet pip
COPY imaging /app/imaging
COPY workers /app/workers
COPY server /app/server
COPY scripts/cli /app/scripts/cli
# As pip would write it. The guard is for processes of the pool, which read it as well.
RUN printf '#!/opt/venv/bin/python\nfrom scripts.cli.entry import main\nif __name__ == "__main__":\n    main()\n' > /opt/venv/bin/imagecensus \
    && chmod 755 /opt/venv/bin/imagecensus
# The root may be read-only: what Python would write on first use is written here.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:${PYTHON_VERSION}-slim
LABEL org.opencontainers.image.title="Imagecensus" \
      org.opencontainers.image.description="One record per image URL, always" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    CENSUS_HOST=0.0.0.0 \
    CENSUS_PORT=5000 \
    CENSUS_DATA_ROOT=/application/vol/dependencies \
    CENSUS_VAR=/application/var
# There is no Redis in here: it is named by CENSUS_REDIS_URL, or an image made of this one has it.
RUN mkdir -p /application/vol/dependencies /application/var \
    && chown 10001:10001 /application/vol/dependencies /application/var
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "server.healthcheck"]
CMD ["python", "-m", "server"]
