# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM debian:bookworm-slim
WORKDIR /tool
COPY . /tool/
USER 65532:65532
ENTRYPOINT ["/tool/bin/native"]
LABEL io.cortex-wasm.tool="native" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:8f9ff4a651ae239e1aa0231501a350ddd124cab05e0cabdfd054ec76094bf5ce"
