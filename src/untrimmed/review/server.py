"""Serves a review: on this machine only, to whoever has its address with the token in it, and nobody else."""

import asyncio
import hmac
import json
import logging
import re
import secrets
import socket
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from untrimmed.io import BadInput
from untrimmed.review.page import render_review_page
from untrimmed.review.session import EditConflict, ReviewSession
from untrimmed.visualization.stills import encode_still

HOST = "127.0.0.1"
LARGEST_EDIT = 1_000_000
"""Bytes of the body of a request."""
PATIENCE = 60
"""Seconds that a connection may be silent for."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _Edit(msgspec.Struct):
    """The body of an edit: `change` is one of `apply_edit`, made on a version of a video."""

    video: int
    version: int
    change: dict[str, Any]


class ReviewServer:
    """Serves one review at `http://127.0.0.1:PORT/TOKEN/`; a port of 0 takes any that is free.

    Nothing of a path reaches the disk: what can be asked for has a number. Raises BadInput when the port is taken.
    """

    def __init__(self, title: str, session: ReviewSession, folder: Path, port: int = 0) -> None:
        self.title, self.session = title, session
        self.token = secrets.token_urlsafe(24)
        self._root = (folder if folder.is_dir() else folder.parent).resolve()
        self._encode_still = lru_cache(maxsize=512)(encode_still)
        self._decoding = asyncio.Semaphore(2)
        self._answers = {
            "": self._send_page,
            r"api/changes\?since=([0-9]{1,9})": self._send_changes,
            "video/([0-9]{1,9})": self._send_video,
            "still/([0-9]{1,9})/([0-9]{1,9})": self._send_still,
        }
        if not 0 <= port < 2**16:
            raise BadInput(f"--port {port}: there is no such port; give one up to 65535, or 0 for any")
        try:
            self._socket = socket.create_server((HOST, port), backlog=128)
        except OSError as error:
            reason = str(error).partition(" (while")[0]
            raise BadInput(f"--port {port}: cannot be listened at ({reason}); give another, or 0 for any") from None
        self.port: int = self._socket.getsockname()[1]
        # Below critical, uvicorn logs what rude clients send and which answers the end of the server cuts off.
        config = uvicorn.Config(
            self._answer, interface="asgi3", http=_Connection, ws="none", loop="asyncio", lifespan="off",
            log_config=None, log_level="critical", access_log=False, proxy_headers=False, server_header=False,
            timeout_keep_alive=PATIENCE, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)

    @property
    def address(self) -> str:
        """Where to point a browser."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def serve(self) -> None:
        """Answer requests until `close`, or in the main thread until Ctrl-C or SIGTERM, whose handlers then run."""
        self._server.run(sockets=[self._socket])

    def close(self) -> None:
        """Let `serve` return."""
        self._server.should_exit = True

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return
        except HTTPException as refusal:
            response = _to_json({"error": refusal.detail}, refusal.status_code, refusal.headers)
        except Exception:
            logging.getLogger(__name__).exception("a request to the review failed")
            response = _to_json({"error": "the review failed; its terminal says why"}, 500)
        await response(scope, receive, send_with_headers)

    async def _respond(self, request: Request) -> Response:
        path = self._check(request)
        if request.method == "POST":
            edit = await _read_edit(request, path)
            return await run_in_threadpool(self._edit, edit)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, "GET, HEAD and POST are known", {"Allow": "GET, HEAD, POST"})
        for pattern, send in self._answers.items():
            if match := re.fullmatch(pattern, path):
                # Stills wait for each other outside of the threads, which are there for everything else too.
                async with self._decoding if path.startswith("still/") else nullcontext():
                    return await run_in_threadpool(send, *map(int, match.groups()))
        raise HTTPException(404, "there is nothing here")

    def _check(self, request: Request) -> str:
        """Return the path behind the token. Raises HTTPException unless the client may ask."""
        # A page elsewhere can give its own name this machine's address, but not send our name.
        if request.headers.getlist("host") not in ([f"{HOST}:{self.port}"], [f"localhost:{self.port}"]):
            raise HTTPException(403, "this server answers under the address that it printed only")
        # The path as it was sent: nothing in it is decoded.
        path = b"?".join(filter(None, [request.scope["raw_path"], request.scope["query_string"]])).decode()
        token, slash, path = path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.token.encode()) or not slash:
            raise HTTPException(403, "the token is missing or wrong; use the address that was printed")
        return path

    def _send_page(self) -> Response:
        page = render_review_page(self.title, self.session)
        return Response(page.html, headers={"Content-Security-Policy": page.policy}, media_type="text/html")

    def _send_changes(self, since: int) -> Response:
        number, states = self.session.find_changes(since)
        changes = {video: state.to_dict() for video, state in states.items()}
        return _to_json({"number": number, "states": changes, "saved": self.session.summarize()})

    def _send_video(self, number: int) -> Response:
        file, kind = self._find_file(number)
        return FileResponse(file, media_type=kind)

    def _send_still(self, number: int, milliseconds: int) -> Response:
        content = self._encode_still(self._find_file(number)[0], milliseconds / 1000)
        if content is None:
            raise HTTPException(404, "no picture there")
        return Response(content, headers={"Cache-Control": "private, max-age=3600"}, media_type="image/jpeg")

    def _find_file(self, number: int) -> tuple[Path, str]:
        """Return the file and media type of a video. Raises HTTPException where its folder holds no such video."""
        video = self.session.videos[number] if number < len(self.session.videos) else None
        if video is None or video.file is None:
            raise HTTPException(404, "no such video")
        file = video.file.resolve()
        if not file.is_relative_to(self._root) or not file.is_file():
            raise HTTPException(404, "the video is no longer in its folder")
        return file, video.media_type or "application/octet-stream"

    def _edit(self, edit: _Edit) -> Response:
        try:
            number, state = self.session.edit(edit.video, edit.version, edit.change)
        except EditConflict as conflict:
            answer = {"error": str(conflict), "number": conflict.number, "state": conflict.state.to_dict()}
            return _to_json(answer, 409)
        except IndexError:
            raise HTTPException(404, "no such video") from None
        except BadInput as error:
            raise HTTPException(422, str(error)) from None
        except (OSError, ValueError) as error:  # a full disk, or the end of the server: the journal is closed
            raise HTTPException(507, f"the edit could not be saved: {error}") from None
        return _to_json({"number": number, "state": state.to_dict(), "saved": self.session.summarize()})


async def _read_edit(request: Request, path: str) -> _Edit:
    """Read the edit in a request. Raises HTTPException unless the review's own page sent it."""
    headers = request.headers
    if path != "api/edit":
        raise HTTPException(404, "there is nothing to write here")
    if headers.get("origin") != f"http://{headers['host']}":
        raise HTTPException(403, "edits are taken from the review's own page only")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "an edit is sent as application/json")
    if "content-length" not in headers or "transfer-encoding" in headers:
        raise HTTPException(411, "the length of an edit is due")
    if int(headers["content-length"]) > LARGEST_EDIT:
        raise HTTPException(413, f"an edit has at most {LARGEST_EDIT} bytes")
    try:
        return msgspec.json.decode(await request.body(), type=_Edit)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HTTPException(400, "an edit is JSON with the numbers 'video' and 'version' and a 'change'") from None


def _to_json(value: Any, status: int = 200, headers: Any = None) -> Response:
    # Unlike starlette's JSONResponse in ASCII: broken surrogates of a file's name or label pass.
    return Response(json.dumps(value, allow_nan=False), status, headers, "application/json")


class _Connection(H11Protocol):
    """A connection that is cut after a minute of silence; uvicorn alone would wait for a request or a reader."""

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def _watch(self) -> None:
        """Start the minute again if it is the client's turn, and else wait for our own answer."""
        if self._limit is not None:
            self._limit.cancel()
        request = self.cycle
        waits = self.flow.write_paused or request is None or request.more_body or request.response_complete
        self._limit = self.loop.call_later(PATIENCE, self.transport.abort) if waits else None
