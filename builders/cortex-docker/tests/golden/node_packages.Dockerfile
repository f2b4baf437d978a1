# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM node:20-slim AS packages
WORKDIR /build
ARG npm_config_registry
ARG NODE_EXTRA_CA_CERTS
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error --prefer-offline

FROM node:20-slim
WORKDIR /tool
ENV NODE_ENV=production
COPY --from=packages /build/node_modules /tool/node_modules
COPY . /tool/
USER 65532:65532
ENTRYPOINT ["node","/tool/src/main.js"]
LABEL io.cortex-wasm.tool="render" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:407f44ba145645a0b00e0c54e0cd82b6e12ff5e45d6a73e629e6da7b6e83e288"
