# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM node:20-slim
WORKDIR /tool
ENV NODE_ENV=production
COPY . /tool/
USER 65532:65532
ENTRYPOINT ["node","/tool/.cortex/run.mjs","/tool/main.js"]
LABEL io.cortex-wasm.tool="sum" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:3c456152d057dd1c67592f57ef3ee40ffbabb7689d4fe3c582af906846552865"
