# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM python:3.11-slim AS packages
WORKDIR /build
ARG PIP_INDEX_URL
ARG PIP_CERT
COPY "requirements.txt" "requirements.txt"
COPY "more.txt" "more.txt"
RUN pip install --no-cache-dir --disable-pip-version-check --no-input --root-user-action=ignore --only-binary=:all: --prefix=/packages -r requirements.txt

FROM python:3.11-slim
RUN python3 -c 'import argparse, asyncio, base64, collections, contextlib, csv, dataclasses, datetime, decimal, email.message, enum, functools, hashlib, html, http.client, inspect, io, itertools, json, logging, math, os, pathlib, random, re, shutil, socket, sqlite3, ssl, statistics, string, subprocess, tempfile, textwrap, threading, time, traceback, typing, unicodedata, urllib.request, uuid, xml.etree.ElementTree, zipfile, zoneinfo'
WORKDIR /tool
ENV PYTHONDONTWRITEBYTECODE=1
COPY --from=packages /packages /usr/local
COPY . /tool/
RUN python3 -m compileall -q /tool || true
USER 65532:65532
ENTRYPOINT ["python3","/tool/scripts/count.py"]
HEALTHCHECK --interval=30s CMD ["sh","-c","out=$(python3 scripts/count.py '{\"n\": 1}'); [ $? -eq 0 ] && case \"$out\" in *'\"ok\"'*) ;; *) false ;; esac || exit 1"]
LABEL io.cortex-wasm.tool="count" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:9781e8d85ad468523944f2eae718379bdd29c029e27c07f53fc2911d0df5f7fe"
