# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM node:20-slim AS packages
WORKDIR /build
ARG npm_config_registry
ARG NODE_EXTRA_CA_CERTS
RUN npm install --prefix /esbuild --ignore-scripts --no-audit --no-fund --loglevel=error esbuild@0.28.2
COPY . .
RUN /esbuild/node_modules/.bin/esbuild --bundle --platform=node --format=esm --target=node20 --banner:js='import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' --outfile=/out/main.mjs main.ts

FROM node:20-slim
WORKDIR /tool
ENV NODE_ENV=production
COPY . /tool/
COPY --from=packages /out/main.mjs /tool/.cortex/main.mjs
USER 65532:65532
ENTRYPOINT ["node","/tool/.cortex/run.mjs","/tool/.cortex/main.mjs"]
LABEL io.cortex-wasm.tool="typed" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:b0190c735f5bd3ae8ecab2315794626857b17b24881507ea17e725661c599470"
