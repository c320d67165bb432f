# One image for web, worker and migrate; docker-compose.yml says which is which. `make image` builds it.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_PYTHON_DOWNLOADS=never

# What rarely changes first, so that a new version of ours reuses the layers; every download is checked by its hash.
COPY bootstrap.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement bootstrap.lock \
    && uv venv --python /usr/local/bin/python /opt/upbridge \
    && uv pip sync --no-cache --python /opt/upbridge/bin/python --require-hashes --compile-bytecode requirements.lock \
    # A tenth of the image would be how a thousand other languages write their numbers.
    && find /opt/upbridge/lib/python*/site-packages/babel/locale-data -type f \
        ! -name 'root.dat' ! -name 'en*.dat' ! -name 'cs*.dat' ! -name 'sk*.dat' -delete

COPY pyproject.toml README.md LICENSE alembic.ini ./
# The product alone: neither the simulated systems nor the embedded Postgres (an extra) are of use here.
COPY src/upbridge src/upbridge
COPY templates templates
COPY migrations migrations
COPY locales locales
RUN hatchling build --target wheel --directory dist \
    && uv pip install --no-cache --python /opt/upbridge/bin/python --no-deps --compile-bytecode dist/*.whl


FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/upbridge --shell /usr/sbin/nologin upbridge
COPY --from=build /opt/upbridge /opt/upbridge
ENV PATH=/opt/upbridge/bin:$PATH PYTHONUNBUFFERED=1 UPBRIDGE_DATA_DIR=/var/lib/upbridge
# The commit that is built, for the metric upbridge_build_info, and the version of the program.
ARG REVISION=unknown
ARG VERSION=unknown
ENV UPBRIDGE_REVISION=$REVISION
LABEL org.opencontainers.image.title=upbridge \
    org.opencontainers.image.description="A verified add-on for Upgates e-shops" \
    org.opencontainers.image.licenses=MIT \
    org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.revision=$REVISION
# By number, so that a platform that refuses root can see that it is none.
USER 10001:10001
WORKDIR /var/lib/upbridge
EXPOSE 8000

# Ready means: the database answers and its schema is at head.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]

ENTRYPOINT ["upbridge"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
