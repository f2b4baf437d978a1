# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM python:3.11-slim AS packages
WORKDIR /build
ARG PIP_INDEX_URL
ARG PIP_CERT
COPY "requirements.txt" "requirements.txt"
COPY "more.txt" "more.txt"
RUN pip install --no-cache-dir --disable-pip-version-check --no-input --root-user-action=ignore --only-binary=:all: --prefix=/packages -r requirements.txt

FROM python:3.11-slim
WORKDIR /tool
ENV PYTHONDONTWRITEBYTECODE=1
COPY --from=packages /packages /usr/local
COPY . /tool/
USER 65532:65532
ENTRYPOINT ["python3","/tool/scripts/count.py"]
HEALTHCHECK --interval=30s CMD ["sh","-c","out=$(python3 scripts/count.py '{\"n\": 1}'); [ $? -eq 0 ] && case \"$out\" in *'\"ok\"'*) ;; *) false ;; esac || exit 1"]
LABEL io.cortex-wasm.tool="count" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:08ad585674cf9930cb6f682d87673607247105ccc3b0588acb50535a1239cc3e"
