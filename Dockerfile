# docker build -t memetica .
# Debian's own Python, and wheels that bring what they need: no other system package.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/memetica && /opt/memetica/bin/pip install --no-cache-dir uv
COPY pyproject.toml constraints.txt README.md LICENSE THIRD_PARTY_NOTICES.md /src/
COPY search /src/search
COPY indexer /src/indexer
COPY web /src/web
COPY demo /src/demo
# The CPU build of torch, which is used once, to export the text encoder; the public one has gigabytes of CUDA. Where
# torch's index cannot be reached: --build-arg TORCH_BACKEND= --build-arg UV_FIND_LINKS=ADDRESS of a list of wheels.
ARG TORCH_BACKEND=cpu
ARG UV_FIND_LINKS
# Modules are compiled now: whoever runs the image cannot write there, and each command would compile them again.
RUN /opt/memetica/bin/uv pip install --python /opt/memetica/bin/python --no-cache --compile-bytecode \
    ${TORCH_BACKEND:+--torch-backend "$TORCH_BACKEND"} --constraint /src/constraints.txt "/src[mcp]"

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 1000 memetica && useradd --uid 1000 --gid 1000 --create-home memetica \
    && install -d -o memetica -g memetica -m 700 /data && install -d /memes
COPY --from=build /opt/memetica /opt/memetica
ENV PATH=/opt/memetica/bin:$PATH PYTHONUNBUFFERED=1 \
    MEMETICA_DATA=/data MEMETICA_LIBRARY=/memes MEMETICA_HOST=0.0.0.0 MEMETICA_PORT=8000
USER memetica
WORKDIR /home/memetica
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["memetica", "serve"]
