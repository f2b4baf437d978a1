# The network, for programs that know sockets: `http.client`, `urllib.request`, `requests`, `httpx`. There are no sockets in a
# sandbox, only requests that the host makes (`wasi:http`). So a socket here takes the text of an HTTP/1.1 request, makes it a
# request of the host's, and gives back the text of the answer. TLS is the host's business, as is which servers may be asked.
import errno
import io
import socket
import sys
import types as python_types

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler

try:
    from wit_world.imports import wasi_http_types as wasi
except ImportError:
    from wit_world.imports import types as wasi

PIECE = 65536
# About the connection, which is the host's.
HOP_BY_HOP = {
    "connection", "expect", "host", "http2-settings", "keep-alive", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
}


def failure(code):
    """The exception that a socket would have raised, with the host's own word for what happened."""
    word = type(code).__name__.removeprefix("ErrorCode_")
    detail = getattr(code, "value", None)
    text = f"{word}: {detail}" if isinstance(detail, str) else word
    if word == "HttpRequestDenied":
        return PermissionError(errno.EACCES, "the request was refused: the tool was not granted this server")
    if word in ("DnsError", "DnsTimeout", "DestinationNotFound"):
        return socket.gaierror(socket.EAI_NONAME, f"Name or service not known ({text})")
    if word == "ConnectionRefused":
        return ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    if word in ("ConnectionTerminated", "HttpResponseIncomplete"):
        return ConnectionResetError(errno.ECONNRESET, f"Connection reset by peer ({text})")
    if word in ("ConnectionTimeout", "ConnectionReadTimeout", "ConnectionWriteTimeout", "HttpResponseTimeout"):
        return TimeoutError(f"timed out ({text})")
    if word in ("TlsCertificateError", "TlsProtocolError", "TlsAlertReceived"):
        return sys.modules["ssl"].SSLCertVerificationError(1, f"certificate verify failed ({text})")
    return OSError(errno.EIO, f"the request failed ({text})")


class Request:
    """One request as it was written to a socket: where its head ends, and how long its body is."""

    def __init__(self, text):
        self.head, self.body = text.split(b"\r\n\r\n", 1)
        first, *lines = self.head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        named = {name.lower(): value for name, value in self.headers}
        self.chunked = "chunked" in named.get("transfer-encoding", "").lower()
        self.length = int(named.get("content-length") or 0)

    def complete(self):
        """The whole body, or None while there is more to come."""
        if not self.chunked:
            return self.body[: self.length] if len(self.body) >= self.length else None
        left, pieces = self.body, []
        while True:
            size, found, left = left.partition(b"\r\n")
            if not found:
                return None
            size = int(size.split(b";")[0], 16)
            if size == 0:
                return b"".join(pieces) if left.endswith(b"\r\n") else None
            if len(left) < size + 2:
                return None
            pieces.append(left[:size])
            left = left[size + 2 :]


def nanoseconds(seconds):
    return max(1, int(seconds * 1_000_000_000))


def send(request, body, host, port, secure, timeout):
    fields = wasi.Fields()
    for name, value in request.headers:
        if name.lower() in HOP_BY_HOP:
            continue
        try:
            fields.append(name.lower(), value.encode("latin-1"))
        except Err:
            raise ValueError(f"the header {name} cannot be sent") from None
    if request.chunked:  # which is about the connection; by now the length is known
        fields.append("content-length", str(len(body)).encode())
    outgoing = wasi.OutgoingRequest(fields)
    method = getattr(wasi, f"Method_{request.method.capitalize()}", None)
    outgoing.set_method(method() if method and request.method.isupper() else wasi.Method_Other(request.method))
    outgoing.set_scheme(wasi.Scheme_Https() if secure else wasi.Scheme_Http())
    name = f"[{host}]" if ":" in host else host
    outgoing.set_authority(name if port == (443 if secure else 80) else f"{name}:{port}")
    outgoing.set_path_with_query(request.target if request.target.startswith("/") else "/")
    options = None
    if timeout is not None:
        options = wasi.RequestOptions()
        options.set_connect_timeout(nanoseconds(timeout))
        options.set_first_byte_timeout(nanoseconds(timeout))
        options.set_between_bytes_timeout(nanoseconds(timeout))
    outgoing_body = outgoing.body()
    try:
        future = outgoing_handler.handle(outgoing, options)
    except Err as error:
        raise failure(error.value) from None
    try:
        with outgoing_body.write() as stream:
            for at in range(0, len(body), 4096):
                stream.blocking_write_and_flush(body[at : at + 4096])
        wasi.OutgoingBody.finish(outgoing_body, None)
    except Err:
        pass  # A server that answers before it has read everything says why in its answer.
    with future:
        with future.subscribe() as pollable:
            pollable.block()
        answer = future.get()
    # The outer result says whether it was asked for before.
    answer = answer.value if isinstance(answer, Ok) else answer
    if isinstance(answer, Err):
        raise failure(answer.value)
    return answer.value if isinstance(answer, Ok) else answer


def receive(response, head_only):
    """The answer as HTTP/1.1 has it, piece by piece."""
    import http.client

    status = response.status()
    with response.headers() as fields:
        entries = fields.entries()
    names = {name.lower() for name, _ in entries}
    empty = head_only or status in (204, 304)
    chunked = not empty and "content-length" not in names
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Unknown')}".encode("latin-1")]
    lines += [name.encode("latin-1") + b": " + value for name, value in entries if name.lower() not in HOP_BY_HOP]
    if chunked:
        lines.append(b"transfer-encoding: chunked")
    # Keeping connections is the host's business; clients that keep one ask the system about its socket.
    lines.append(b"connection: close")
    yield b"\r\n".join(lines) + b"\r\n\r\n"
    with response, response.consume() as body, body.stream() as stream:
        while not empty:
            try:
                piece = stream.blocking_read(PIECE)
            except Err as error:
                if type(error.value).__name__ == "StreamError_Closed":
                    break
                raise ConnectionResetError(errno.ECONNRESET, "the answer broke off") from None
            if piece:
                yield b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
    if chunked:
        yield b"0\r\n\r\n"


class Socket:
    """As much of a socket as clients of HTTP use."""

    def __init__(self, family=socket.AF_INET, type=socket.SOCK_STREAM, proto=0, fileno=None):
        if type != socket.SOCK_STREAM:
            raise PermissionError(errno.EACCES, "a sandbox has no sockets but for requests over HTTP")
        self.family, self.type, self.proto = family, type, proto
        self.peer, self.secure, self.timeout = None, False, DEFAULTS["timeout"]
        self.written, self.unread, self.answers = b"", b"", None

    def connect(self, address):
        self.peer = (address[0], int(address[1]))

    def connect_ex(self, address):
        self.connect(address)
        return 0

    def sendall(self, data, flags=0):
        self.written += bytes(data)
        # An answer that nobody read to its end belongs to the last request.
        if self.answers is not None and self.written:
            self.answers, self.unread = None, b""

    def send(self, data, flags=0):
        self.sendall(data)
        return len(data)

    def _answers(self):
        if b"\r\n\r\n" not in self.written:
            return iter(())
        request = Request(self.written)
        body = request.complete()
        if body is None:
            return iter(())
        self.written = b""
        if request.method == "CONNECT":
            raise OSError(errno.EOPNOTSUPP, "a sandbox reaches servers by itself, not through a proxy")
        response = send(request, body, *self.peer, self.secure, self.timeout)
        return receive(response, request.method == "HEAD")

    def recv(self, size, flags=0):
        if not self.unread:
            if self.answers is None:
                self.answers = self._answers()
            self.unread = next(self.answers, b"")
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def recv_into(self, buffer, nbytes=0, flags=0):
        taken = self.recv(nbytes or len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)

    def makefile(self, mode="r", buffering=None, **text):
        raw = Reader(self)
        if "w" in mode:
            return io.BufferedWriter(raw)
        file = io.BufferedReader(raw)
        return file if "b" in mode else io.TextIOWrapper(file, **text)

    def settimeout(self, timeout):
        self.timeout = timeout

    def gettimeout(self):
        return self.timeout

    def setblocking(self, blocking):
        self.timeout = None if blocking else 0.0

    def getpeername(self):
        return self.peer

    def getsockname(self):
        return ("0.0.0.0", 0)

    def getsockopt(self, *_):
        return 0

    def fileno(self):
        return -1

    def _nothing(self, *_):
        pass

    setsockopt = bind = shutdown = close = _nothing

    def listen(self, *_):
        raise PermissionError(errno.EACCES, "a sandbox does not listen")

    def detach(self):
        return -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

class SecureSocket(Socket):
    """What TLS adds to a socket."""

    @property
    def _sslobj(self):
        return self

    def getpeercert(self, binary_form=False):
        return b"" if binary_form else {"subject": (), "subjectAltName": (("DNS", self.peer[0]),)}

    def selected_alpn_protocol(self):
        return "http/1.1"

    def version(self):
        return "TLSv1.3"

    def cipher(self):
        return None

    def unwrap(self):
        return self


class Reader(io.RawIOBase):
    def __init__(self, sock):
        self.sock = sock

    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, buffer):
        return self.sock.recv_into(buffer)

    def write(self, data):
        return self.sock.send(data)


DEFAULTS = {"timeout": None}


def create_connection(address, timeout=..., source_address=None, *, all_errors=False):
    sock = Socket()
    if timeout is not ... and timeout is not socket._GLOBAL_DEFAULT_TIMEOUT:
        sock.settimeout(timeout)
    sock.connect(address)
    return sock


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    # Names are looked up by the host, when it knows whether they may be asked.
    number = {"http": 80, "https": 443, None: 0}.get(port, port)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, int(number)))]


def tls():
    """`ssl`, which this CPython was built without. The host checks certificates, always."""
    ssl = python_types.ModuleType("ssl")

    class SSLError(OSError):
        library = reason = None

    class SSLContext:
        check_hostname = True
        verify_mode = 2
        verify_flags = options = 0
        post_handshake_auth = False
        minimum_version = maximum_version = None
        keylog_filename = sslsocket_class = None

        def __init__(self, protocol=2):
            self.protocol = protocol

        def wrap_socket(self, sock, *_, **__):
            sock.__class__ = SecureSocket
            sock.secure = True
            return sock

        def _nothing(self, *_, **__):
            pass

        load_verify_locations = load_default_certs = set_default_verify_paths = set_ciphers = _nothing
        set_alpn_protocols = load_cert_chain = _nothing

        def get_ciphers(self):
            return []

        def cert_store_stats(self):
            return {"x509": 0, "crl": 0, "x509_ca": 0}

        def get_ca_certs(self, binary_form=False):
            return []

    def create_default_context(*_, **__):
        return SSLContext()

    names = {
        name: type(name, (SSLError,), {"__module__": "ssl"})
        for name in ("SSLZeroReturnError", "SSLWantReadError", "SSLWantWriteError", "SSLSyscallError", "SSLEOFError")
    }
    certificate = type("SSLCertVerificationError", (SSLError, ValueError), {"__module__": "ssl", "verify_message": ""})
    versions = {"MINIMUM_SUPPORTED": -2, "TLSv1": 769, "TLSv1_1": 770, "TLSv1_2": 771, "TLSv1_3": 772, "MAXIMUM_SUPPORTED": -1}
    import enum

    vars(ssl).update(
        names,
        SSLError=SSLError,
        SSLCertVerificationError=certificate,
        CertificateError=certificate,
        SSLContext=SSLContext,
        SSLSocket=SecureSocket,
        SSLObject=type("SSLObject", (), {}),
        MemoryBIO=type("MemoryBIO", (), {}),
        TLSVersion=enum.IntEnum("TLSVersion", versions),
        VerifyMode=enum.IntEnum("VerifyMode", {"CERT_NONE": 0, "CERT_OPTIONAL": 1, "CERT_REQUIRED": 2}),
        VerifyFlags=enum.IntFlag("VerifyFlags", {"VERIFY_DEFAULT": 0, "VERIFY_X509_PARTIAL_CHAIN": 524288}),
        Purpose=enum.Enum("Purpose", ["SERVER_AUTH", "CLIENT_AUTH"]),
        Options=enum.IntFlag("Options", {"OP_ALL": 0}),
        AlertDescription=enum.IntEnum("AlertDescription", {"ALERT_DESCRIPTION_CLOSE_NOTIFY": 0}),
        SSLErrorNumber=enum.IntEnum("SSLErrorNumber", {"SSL_ERROR_SSL": 1}),
        CERT_NONE=0, CERT_OPTIONAL=1, CERT_REQUIRED=2,
        PROTOCOL_TLS=2, PROTOCOL_TLS_CLIENT=16, PROTOCOL_TLS_SERVER=17, PROTOCOL_SSLv23=2, PROTOCOL_TLSv1=3,
        PROTOCOL_TLSv1_1=4, PROTOCOL_TLSv1_2=5,
        OP_ALL=0, OP_NO_SSLv2=0, OP_NO_SSLv3=0, OP_NO_TLSv1=0, OP_NO_TLSv1_1=0, OP_NO_TLSv1_2=0, OP_NO_COMPRESSION=0,
        OP_NO_TICKET=0, VERIFY_DEFAULT=0, VERIFY_X509_STRICT=32, VERIFY_X509_PARTIAL_CHAIN=524288,
        HAS_SNI=True, HAS_ALPN=True, HAS_NEVER_CHECK_COMMON_NAME=True, HAS_TLSv1_3=True, HAS_TLSv1_2=True,
        OPENSSL_VERSION="OpenSSL 3.0.0 (of the host)", OPENSSL_VERSION_NUMBER=0x30000000,
        OPENSSL_VERSION_INFO=(3, 0, 0, 0, 0),
        create_default_context=create_default_context,
        _create_unverified_context=create_default_context,
        _create_default_https_context=create_default_context,
        _create_stdlib_context=create_default_context,
        get_default_verify_paths=lambda: python_types.SimpleNamespace(cafile=None, capath=None),
        match_hostname=lambda *_: None,
    )  # fmt: skip
    return ssl


socket.socket = socket.SocketType = Socket
socket.create_connection = create_connection
socket.getaddrinfo = getaddrinfo
socket.setdefaulttimeout = lambda timeout: DEFAULTS.update(timeout=timeout)
socket.getdefaulttimeout = lambda: DEFAULTS["timeout"]
sys.modules["ssl"] = tls()
