# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM bash:5
WORKDIR /tool
COPY . /tool/
USER 65532:65532
ENTRYPOINT ["bash","/tool/main.sh"]
LABEL io.cortex-wasm.tool="disk" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:c0a3c781949f7f11bfd32bd95c1edea09e359f244bf5e2eae4c331d647e01b2f"
