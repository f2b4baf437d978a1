# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM debian:bookworm-slim
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends jq \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /tool
COPY . /tool/
USER 65532:65532
ENTRYPOINT ["bash","/tool/main.sh"]
LABEL io.cortex-wasm.tool="query" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:b13b41bce982ce214edbe6352ef9c636e8ccfe56e4faf8a59052d105cf3f0561"
