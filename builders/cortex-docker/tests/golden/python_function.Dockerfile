# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM python:3.12-slim
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends jq poppler-utils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /tool
ENV PYTHONDONTWRITEBYTECODE=1
COPY . /tool/
USER 65532:65532
ENTRYPOINT ["python3","/tool/.cortex/run.py","/tool/main.py"]
HEALTHCHECK CMD ["sh","-c","out=$(python3 /tool/.cortex/run.py /tool/main.py '{\"text\": \"it'\\''s\"}'); [ $? -eq 0 ] && case \"$out\" in *'IT'\\''S'*) ;; *) false ;; esac || exit 1"]
LABEL io.cortex-wasm.tool="shout" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:ab7321b1a96839875ba999535cba674264328f4d34a90481565e72c6945672af"
