# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM golang:1.26 AS build
WORKDIR /build
ARG GOPROXY
ARG GOFLAGS
ARG SSL_CERT_FILE
ARG TAGS="a b"
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o /out/tool ./cmd/fetch

FROM debian:bookworm-slim
WORKDIR /tool
COPY --from=build /out/tool /tool/tool
USER 65532:65532
ENTRYPOINT ["/tool/tool"]
LABEL io.cortex-wasm.tool="fetch" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:8a3f4b2e533964aecc3a9632196e39491ceda56664f9b53e51c71a5621ff2de1"
