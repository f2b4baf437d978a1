# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM ruby:3.3-slim
WORKDIR /tool
COPY . /tool/
USER 65532:65532
ENTRYPOINT ["ruby","my script.rb","-v"]
LABEL io.cortex-wasm.tool="ruby" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:1acab92fa1bb9b9fb5fc880473121071947f5cf389c324d5937dc8878c3a0fe0"
