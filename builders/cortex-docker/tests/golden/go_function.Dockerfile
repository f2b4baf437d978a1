# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM golang:1.27 AS build
WORKDIR /build
ARG GOPROXY
ARG GOFLAGS
ARG SSL_CERT_FILE
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY . .
RUN go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o /out/tool .

FROM debian:bookworm-slim
WORKDIR /tool
COPY --from=build /out/tool /tool/tool
USER 65532:65532
ENTRYPOINT ["/tool/tool"]
LABEL io.cortex-wasm.tool="double" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:af458da8548fba7bb81232fff3960bb75e369092cb39fc71d47516ffe033231c"
