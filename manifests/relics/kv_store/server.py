"""Keeps values by their keys: SQLite behind HTTP."""

import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

LOCK = threading.Lock()
DATABASE = sqlite3.connect("/data/values.db", check_same_thread=False, isolation_level=None)
DATABASE.execute("PRAGMA journal_mode = WAL")
DATABASE.execute("CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
BODY_BYTES = 4 << 20


def execute(statement, *values):
    with LOCK:
        return DATABASE.execute(statement, values).fetchall()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def key(self, prefix):
        return unquote(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else ""

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, {"status": "healthy"})
        key = self.key("/get/")
        rows = execute("SELECT value FROM entries WHERE key = ?", key)
        if not key or not rows:
            return self.answer(404, {"status": "error", "error": f"no value for {key!r}"})
        return self.answer(200, {"status": "success", "key": key, "value": json.loads(rows[0][0])})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/set" or length > BODY_BYTES:
            return self.answer(404 if self.path != "/set" else 413, {"status": "error", "error": "no such thing"})
        try:
            given = json.loads(self.rfile.read(length))
            key, value = given["key"], given["value"]
            if not isinstance(key, str) or not key:
                raise ValueError("the key is no text")
        except (ValueError, KeyError, TypeError) as error:
            return self.answer(400, {"status": "error", "error": str(error)})
        execute("INSERT OR REPLACE INTO entries VALUES (?, ?)", key, json.dumps(value))
        return self.answer(200, {"status": "success", "key": key})

    def do_DELETE(self):
        key = self.key("/delete/")
        rows = execute("DELETE FROM entries WHERE key = ? RETURNING 1", key)
        return self.answer(200, {"status": "success", "key": key, "deleted": bool(rows)})


ThreadingHTTPServer(("0.0.0.0", 8004), Handler).serve_forever()
