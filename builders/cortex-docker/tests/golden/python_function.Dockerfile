# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.
FROM python:3.12-slim
RUN python3 -c 'import argparse, asyncio, base64, collections, contextlib, csv, dataclasses, datetime, decimal, email.message, enum, functools, hashlib, html, http.client, inspect, io, itertools, json, logging, math, os, pathlib, random, re, shutil, socket, sqlite3, ssl, statistics, string, subprocess, tempfile, textwrap, threading, time, traceback, typing, unicodedata, urllib.request, uuid, xml.etree.ElementTree, zipfile, zoneinfo'
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends jq poppler-utils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /tool
ENV PYTHONDONTWRITEBYTECODE=1
COPY . /tool/
RUN python3 -m compileall -q /tool || true
USER 65532:65532
ENTRYPOINT ["python3","/tool/.cortex/run.py","/tool/main.py"]
HEALTHCHECK CMD ["sh","-c","out=$(python3 /tool/.cortex/run.py /tool/main.py '{\"text\": \"it'\\''s\"}'); [ $? -eq 0 ] && case \"$out\" in *'IT'\\''S'*) ;; *) false ;; esac || exit 1"]
LABEL io.cortex-wasm.tool="shout" io.cortex-wasm.version="VERSION" io.cortex-wasm.digest="sha256:597b25e234222306fc15ab4ed73519ea56b602271e81e939a08e3462c247877a"
