"""The server of a review: on this machine only, for whoever has its address with the token in it, and nobody else."""

import hmac
import json
import re
import secrets
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, BinaryIO, NamedTuple

import msgspec

from untrimmed.io import BadInput
from untrimmed.review.desk import Shelf, page
from untrimmed.review.session import Conflict, Review
from untrimmed.visualization.stills import still

HERE = "127.0.0.1"
LARGEST_EDIT = 1_000_000
"""Bytes of the body of a request."""
PATIENCE = 60.0
"""Seconds that a connection may be silent for."""
_PIECE = 2**18  # bytes of a video that are sent at a time
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Refused(Exception):
    """A request that is not answered: its status, one sentence, and headers that go with it."""

    def __init__(self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


class Reply(NamedTuple):
    """An answer that fits into memory."""

    kind: str
    content: bytes
    headers: Mapping[str, str]


class ReviewServer(ThreadingHTTPServer):
    """Serves one review at `http://127.0.0.1:PORT/TOKEN/`; a port of 0 takes any that is free.

    Raises BadInput when the port is taken.
    """

    daemon_threads = True
    # Connections that wait to be taken: at the five of the standard library, a few tabs at once are turned away.
    request_queue_size = 128

    def __init__(self, title: str, shelves: Sequence[Shelf], review: Review, folder: Path, port: int = 0) -> None:
        self.title, self.shelves, self.review = title, tuple(shelves), review
        self.root = (folder if folder.is_dir() else folder.parent).resolve()
        self.token = secrets.token_urlsafe(24)
        self.still = lru_cache(maxsize=512)(self._still)
        self._decoding = threading.Semaphore(2)
        try:
            super().__init__((HERE, port), _Handler)
        except (OSError, OverflowError) as error:
            raise BadInput(f"--port {port}: cannot be listened at ({error}); give another, or 0 for any") from None

    def server_bind(self) -> None:
        """Without the look-up of this machine's name, which can take seconds and is of no use here."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HERE, self.server_address[1]

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return self.server_address[1]

    @property
    def hosts(self) -> tuple[str, str]:
        """The names under which a browser of this machine knows the server."""
        return f"{HERE}:{self.port}", f"localhost:{self.port}"

    @property
    def address(self) -> str:
        """Where to point a browser."""
        return f"http://{HERE}:{self.port}/{self.token}/"

    def video(self, number: int) -> tuple[Path, str]:
        """The file of a video and its media type. Raises Refused where there is none, or it has left the folder."""
        shelf = self.shelves[number] if number < len(self.shelves) else None
        if shelf is None or shelf.file is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no such video")
        file = shelf.file.resolve()
        if not file.is_relative_to(self.root) or not file.is_file():
            raise Refused(HTTPStatus.NOT_FOUND, "the video is no longer in its folder")
        return file, shelf.kind or "application/octet-stream"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away in the midst of a video; anything else is our fault."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def _still(self, number: int, milliseconds: int) -> bytes | None:
        file, _ = self.video(number)
        with self._decoding:
            return still(file, milliseconds / 1000)


class _Handler(BaseHTTPRequestHandler):
    """One connection. Nothing of a path reaches the disk: what can be asked for has a number."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "untrimmed", ""
    timeout = PATIENCE
    server: ReviewServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self._answer(self._read)

    def do_HEAD(self) -> None:
        self._answer(self._read)

    def do_POST(self) -> None:
        self._answer(self._write)

    def do_PUT(self) -> None:
        self._answer(self._no_method)

    do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = do_PUT

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line for each piece of a video, with the token in it, would help nobody."""

    def _answer(self, method: Callable[[str], None]) -> None:
        try:
            method(self._asked())
        except Refused as refused:
            # What is left of a body that was not read would be taken for the next request.
            self.close_connection = self.close_connection or self.command not in ("GET", "HEAD")
            self._send(_json({"error": refused.sentence}, refused.headers), refused.status)

    def _asked(self) -> str:
        """What of the review is asked for, once it is clear that the one who asks may."""
        # A page elsewhere can give its own name this machine's address, but not send our name.
        if self.headers.get_all("Host") is None or self.headers.get_all("Host", [])[1:]:
            raise Refused(HTTPStatus.BAD_REQUEST, "one Host is due")
        if self.headers["Host"] not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "this server answers under the address that it printed only")
        token, slash, asked = self.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()) or not slash:
            raise Refused(HTTPStatus.FORBIDDEN, "the token is missing or wrong; use the address that was printed")
        return asked

    def _read(self, asked: str) -> None:
        path, _, query = asked.partition("?")
        if path == "" and not query:
            served = page(self.server.title, self.server.shelves, self.server.review)
            policy = {"Content-Security-Policy": served.policy}
            return self._send(Reply("text/html; charset=utf-8", served.html.encode(), policy))
        if path == "api/changes" and (match := re.fullmatch(r"since=([0-9]{1,9})", query)):
            number, states = self.server.review.since(int(match[1]))
            changed = {video: state.shown() for video, state in states.items()}
            return self._send(_json({"number": number, "states": changed, "saved": self.server.review.summary()}))
        if match := re.fullmatch(r"video/([0-9]{1,9})", asked):
            return self._send_video(*self.server.video(int(match[1])))
        if match := re.fullmatch(r"still/([0-9]{1,9})/([0-9]{1,9})", asked):
            content = self.server.still(int(match[1]), int(match[2]))
            if content is None:
                raise Refused(HTTPStatus.NOT_FOUND, "no picture there")
            return self._send(Reply("image/jpeg", content, {"Cache-Control": "private, max-age=3600"}))
        raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _write(self, asked: str) -> None:
        if asked != "api/edit":
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing to write here")
        if self.headers["Origin"] != f"http://{self.headers['Host']}":
            raise Refused(HTTPStatus.FORBIDDEN, "edits are taken from the review's own page only")
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "an edit is sent as application/json")
        edit = self._body()
        if not isinstance(edit, dict) or not {"video", "version", "change"} <= edit.keys():
            raise Refused(HTTPStatus.BAD_REQUEST, "an edit has a 'video', a 'version' and a 'change'")
        if type(edit["video"]) is not int or type(edit["version"]) is not int or not isinstance(edit["change"], dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "'video' and 'version' are whole numbers, 'change' an object")
        self._edit(edit["video"], edit["version"], edit["change"])

    def _edit(self, video: int, version: int, change: Mapping[str, Any]) -> None:
        review = self.server.review
        try:
            number, state = review.edit(video, version, change)
        except Conflict as conflict:
            answer = {"error": str(conflict), "number": conflict.number, "state": conflict.state.shown()}
            return self._send(_json(answer), HTTPStatus.CONFLICT)
        except IndexError:
            raise Refused(HTTPStatus.NOT_FOUND, "no such video") from None
        except BadInput as error:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        except (OSError, ValueError) as error:  # a full disk, or the end of the server: the journal is closed
            raise Refused(HTTPStatus.INSUFFICIENT_STORAGE, f"the edit could not be saved: {error}") from None
        self._send(_json({"number": number, "state": state.shown(), "saved": review.summary()}))

    def _no_method(self, asked: str) -> None:
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "GET, HEAD and POST are known", {"Allow": "GET, HEAD, POST"})

    def _body(self) -> Any:
        length = self.headers["Content-Length"]
        if length is None or self.headers["Transfer-Encoding"] is not None:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the length of an edit is due")
        if not re.fullmatch("[0-9]{1,18}", length):
            raise Refused(HTTPStatus.BAD_REQUEST, "the length of an edit is a whole number")
        if int(length) > LARGEST_EDIT:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"an edit has at most {LARGEST_EDIT} bytes")
        try:
            return msgspec.json.decode(self.rfile.read(int(length)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "an edit is JSON, and this is none") from None

    def _send(self, reply: Reply, status: HTTPStatus = HTTPStatus.OK) -> None:
        kind = {"Content-Type": reply.kind, "Content-Length": str(len(reply.content))}
        self._head(status, {**_HEADERS, **kind, **reply.headers})
        if self.command != "HEAD":
            self.wfile.write(reply.content)

    def _head(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_video(self, file: Path, kind: str) -> None:
        """The file, or the piece of it that the browser asks for to seek."""
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            start, end = _range(self.headers["Range"], size)
            part = {"Content-Range": f"bytes {start}-{end - 1}/{size}"} if end - start < size else {}
            status = HTTPStatus.PARTIAL_CONTENT if self.headers["Range"] and part else HTTPStatus.OK
            sizes = {"Content-Type": kind, "Content-Length": str(end - start), "Accept-Ranges": "bytes"}
            self._head(status, {**_HEADERS, **sizes, **part})
            if self.command != "HEAD":
                self._copy(stream, start, end)

    def _copy(self, stream: BinaryIO, start: int, end: int) -> None:
        stream.seek(start)
        while start < end:
            piece = stream.read(min(_PIECE, end - start))
            if not piece:  # the file was cut meanwhile, and the browser waits for what was promised
                self.close_connection = True
                return
            self.wfile.write(piece)
            start += len(piece)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """The half-open stretch of bytes that a Range header asks for, or all of them; Refused where there is no such."""
    if header is None or not header.startswith("bytes="):
        return 0, size
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", header)
    if match and match[1]:
        start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
    elif match and match[2]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = 0, 0
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Refused(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"no such bytes of {size}", headers)
    return start, end


def _json(value: Any, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply("application/json", json.dumps(value, allow_nan=False).encode(), headers or {})
