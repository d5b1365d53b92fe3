"""The server of a review: who may ask, what is refused, how videos are sent, and clients that are many or rude."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import numpy as np
import pytest

from untrimmed.annotations.formats.activitynet import read_activitynet, write_activitynet_results
from untrimmed.io import BadInput
from untrimmed.review.files import ReviewFiles, open_review
from untrimmed.review.server import LARGEST_EDIT, ReviewServer
from untrimmed.timeline import Action, Timeline
from untrimmed.video.writer import write_video


class Client:
    """A server in a thread, and a client that sends what a browser would unless a test overrides it."""

    def __init__(self, server: ReviewServer) -> None:
        self.server, self.session = server, server.session
        self.base = f"/{server.token}/"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=20)

    def request(self, method: str, path: str, body: bytes | None = None, raw: bool = False, **headers: str | None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        sent = {"Host": f"127.0.0.1:{self.server.port}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        try:
            connection.putrequest(
                method, path if raw else self.base + path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None and "Content-Length" not in sent:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def find_video(self, name: str) -> int:
        return [video.name for video in self.session.videos].index(name)

    def post(self, value: object, **headers: str | None):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        ours = {"Origin": f"http://127.0.0.1:{self.server.port}", "Content_Type": "application/json"}
        answer, content = self.request("POST", "api/edit", body, **{**ours, **headers})
        return answer.status, json.loads(content) if answer.headers["Content-Type"] == "application/json" else {}

    def edit(self, video: int, version: int, **change: object):
        return self.post({"video": video, "version": version, "change": change})


@pytest.fixture
def client(tmp_path, caplog) -> Iterator[Client]:
    videos = tmp_path / "videos"
    for name in ("a", "b"):
        write_video(videos / f"{name}.mp4", (np.full((32, 48, 3), 9 * i, np.uint8) for i in range(24)), 4)
    write_video(tmp_path / "secret.mp4", (np.zeros((32, 48, 3), np.uint8) for _ in range(8)), 4)
    (videos / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    detections = Timeline(6.0, (Action(1.0, 3.0, "jump", 0.9), Action(4.0, 5.0, "run", 0.4)))
    write_activitynet_results(tmp_path / "r.json", {"a": detections, "b": detections})
    session = open_review(ReviewFiles(tmp_path / "r.json", videos), tmp_path / "out.json")
    server = ReviewServer("Review", session, videos)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield Client(server)
    server.close()
    thread.join()
    session.close()
    # Whatever a client sends, nothing is a fault of ours, and nothing appears on the terminal.
    assert not caplog.get_records("call")


# Who may ask


def test_it_listens_on_this_machine_only(client):
    # All of 127.0.0.0/8 is this machine: a server for every address would answer at this one too.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", client.server.port), timeout=20)
    assert client.server.address == f"http://127.0.0.1:{client.server.port}/{client.server.token}/"
    assert len(client.server.token) >= 32


@pytest.mark.parametrize(
    "path", ["/", "/api/changes?since=0", "/wrong/", "//", "/video/0", "/%C3%A9/", "*", "http://x/"]
)
def test_nothing_is_answered_without_the_token(client, path):
    answer, content = client.request("GET", path, raw=True)
    assert answer.status == 403 and b"jump" not in content
    short = client.base.rstrip("/")
    assert client.request("GET", short, raw=True)[0].status == 403
    assert client.request("GET", short[:-1] + "/", raw=True)[0].status == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost.evil.example:1"])
def test_another_name_for_this_machine_is_refused(client, host):
    assert client.request("GET", "", Host=host)[0].status == 403
    assert client.request("GET", "", Host=f"localhost:{client.server.port}")[0].status == 200
    assert client.request("GET", "", Host=None)[0].status == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", None])
def test_an_edit_from_another_page_is_refused(client, origin):
    change = {"video": 0, "version": 0, "change": {"kind": "undo"}}
    assert client.post(change, Origin=origin)[0] == 403
    assert client.session.states()[0] == 0


def test_an_edit_must_say_that_it_is_json(client):
    assert client.post({}, Content_Type="text/plain")[0] == 415
    assert client.post({}, Content_Type=None)[0] == 415


def test_every_answer_forbids_frames_guesses_and_stores(client):
    for path in ("", "api/changes?since=0", "video/0", "nothing"):
        headers = client.request("GET", path)[0].headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer" and "no-store" in headers["Cache-Control"]
    assert "frame-ancestors 'none'" in client.request("GET", "")[0].headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "line", ["GET /\xe9/ HTTP/1.1", "GET /{token}/video/\xd9\xa0 HTTP/1.1", "GET", "\x16\x03\x01 / x", ""]
)
def test_bytes_that_are_no_request_are_refused(client, line):
    with client.connect() as connection:
        words = f"{line}\r\nHost: 127.0.0.1:{client.server.port}\r\nConnection: close\r\n\r\n"
        connection.sendall(words.replace("{token}", client.server.token).encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(9999), b""))
    assert answer.startswith(b"HTTP/1.1 40")


# What may be asked for


@pytest.mark.parametrize(
    "path",
    [
        "../secret.mp4", "video/../../secret.mp4", "video/%2e%2e/%2e%2e/secret.mp4", "video//etc/passwd",
        "video/..%2f..%2fsecret.mp4", "/etc/passwd", "video/a.mp4", "video/-1", "video/99", "video/0/../1",
        "video/%D9%A0", "video/0?x", "still/0/x", "still/99/0", "api", "api/edit", "api/changes",
        "api/changes?since=-1", "?q", "video/0%00", "file:///etc/passwd", "still/0/999999999",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_table_of_videos(client, path):
    answer, content = client.request("GET", path)
    assert answer.status == 404 and "error" in json.loads(content)


def test_a_link_out_of_the_folder_is_not_followed(client, tmp_path):
    number = client.find_video("link")
    assert client.request("GET", f"video/{number}")[0].status == 404
    assert "outside of the folder" in client.request("GET", "")[1].decode()
    # One that became such a link while the server runs is not followed either.
    (tmp_path / "videos" / "a.mp4").unlink()
    (tmp_path / "videos" / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    assert client.request("GET", f"video/{client.find_video('a')}")[0].status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_allowed(client, method):
    answer, _ = client.request(method, "")
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, POST"
    assert client.request("BREW", "")[0].status == 405


# Videos


def test_a_piece_of_a_video_is_sent_as_it_lies_on_the_disk(client, tmp_path):
    number, whole = client.find_video("a"), (tmp_path / "videos" / "a.mp4").read_bytes()
    size = len(whole)
    answer, content = client.request("GET", f"video/{number}")
    assert (answer.status, answer.headers["Content-Type"], content) == (200, "video/mp4", whole)
    assert answer.headers["Accept-Ranges"] == "bytes"
    for words, start, end in [
        ("0-99", 0, 100),
        ("100-", 100, size),
        ("-50", size - 50, size),
        (f"5-{10 * size}", 5, size),
        ("7-7", 7, 8),
    ]:
        answer, content = client.request("GET", f"video/{number}", Range=f"bytes={words}")
        assert answer.status == 206 and content == whole[start:end]
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    answer, content = client.request("HEAD", f"video/{number}", Range="bytes=0-9")
    assert (answer.status, answer.headers["Content-Length"], content) == (206, "10", b"")
    answer, content = client.request("GET", f"video/{number}", Range="bytes=0-1,4-5")
    assert answer.status == 206 and content.count(b"Content-Range: ") == 2 and len(content) < size
    # A player that paused while the file was replaced gets the new one whole.
    etag = answer.headers["ETag"]
    for if_range, status in ((etag, 206), ('"older"', 200)):
        assert client.request("GET", f"video/{number}", Range="bytes=0-9", If_Range=if_range)[0].status == status


@pytest.mark.parametrize("words", ["bytes=99999999-", "bytes=-0", f"bytes={'1' * 40}-"])
def test_a_range_outside_of_the_video_is_refused(client, words):
    answer, _ = client.request("GET", f"video/{client.find_video('a')}", Range=words)
    assert answer.status == 416 and answer.headers["Content-Range"].startswith("bytes */")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("words", ["bytes=9-3", "bytes=-", "bytes=a-b", "bytes=", "items=0-1", "0-1"])
def test_a_range_that_makes_no_sense_is_refused(client, words):
    answer, content = client.request("GET", f"video/{client.find_video('a')}", Range=words)
    assert answer.status == 400 and len(content) < 100


def test_a_still_is_a_picture_of_the_video(client):
    answer, content = client.request("GET", f"still/{client.find_video('a')}/2000")
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/jpeg" and content[:2] == b"\xff\xd8"


# Rude clients


def test_a_browser_that_goes_away_in_the_midst_is_no_fault(client):
    with client.connect() as connection:
        words = f"GET {client.base}video/0 HTTP/1.1\r\nHost: 127.0.0.1:{client.server.port}\r\n\r\n"
        connection.sendall(words.encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    assert client.request("GET", "")[0].status == 200


def send_half_an_edit(client: Client, connection: socket.socket) -> None:
    host = f"127.0.0.1:{client.server.port}"
    connection.sendall(
        f"POST {client.base}api/edit HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
        'Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"video":'.encode()
    )


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHo", None])
def test_a_connection_that_falls_silent_is_cut(client, start, monkeypatch):
    monkeypatch.setattr("untrimmed.review.server.PATIENCE", 0.2)
    with client.connect() as connection:
        send_half_an_edit(client, connection) if start is None else connection.sendall(start)
        with suppress(ConnectionResetError):
            assert connection.recv(9999) == b""
    assert client.session.states()[0] == 0


def ask_for_a_long_video(client: Client, connection: socket.socket) -> None:
    video = client.session.videos[client.find_video("a")].file
    with video.open("ab") as stream:
        stream.truncate(100_000_000)
    path = f"{client.base}video/{client.find_video('a')}"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{client.server.port}\r\n\r\n".encode())


def test_a_client_that_reads_nothing_is_cut(client, monkeypatch):
    monkeypatch.setattr("untrimmed.review.server.PATIENCE", 0.2)
    with client.connect() as connection:
        ask_for_a_long_video(client, connection)
        assert connection.recv(1)
        for _ in range(2000):
            if not client.server._server.server_state.connections:
                break
            time.sleep(0.01)
        received = 0
        with suppress(ConnectionResetError):
            while content := connection.recv(2**20):
                received += len(content)
        assert received < 100_000_000


def test_slow_clients_block_nobody(client):
    with ExitStack() as connections:
        for i in range(120):
            connection = connections.enter_context(client.connect())
            if i % 3 == 0:
                send_half_an_edit(client, connection)
            elif i % 3 == 1:
                ask_for_a_long_video(client, connection)
        assert client.request("GET", f"still/{client.find_video('b')}/2000")[0].status == 200
        assert client.edit(0, 0, kind="accept", ids=[0])[0] == 200


def test_a_fault_of_ours_is_logged_and_answered(client, monkeypatch, caplog):
    monkeypatch.setattr("untrimmed.review.server.render_review_page", lambda *_: 1 / 0)
    answer, content = client.request("GET", "")
    assert answer.status == 500 and "terminal says why" in json.loads(content)["error"]
    assert "ZeroDivisionError" in caplog.text
    caplog.clear()


# Edits


def test_an_edit_is_answered_with_the_new_state_and_its_version(client):
    status, answer = client.edit(0, 0, kind="accept", ids=[0])
    assert status == 200 and answer["state"]["version"] == 1 and answer["number"] == 1
    assert "edits.jsonl" in answer["saved"]
    changes = json.loads(client.request("GET", "api/changes?since=0")[1])
    assert changes["states"] == {"0": answer["state"]}
    assert json.loads(client.request("GET", "api/changes?since=1")[1])["states"] == {}


def test_an_edit_on_an_older_version_gets_409_and_the_newer_state(client):
    client.edit(0, 0, kind="accept", ids=[0])
    status, answer = client.edit(0, 0, kind="reject", ids=[1])
    assert status == 409 and answer["state"]["version"] == 1 and client.session.states()[0] == 1
    assert client.edit(0, 1, kind="reject", ids=[1])[0] == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"[]", 400), (b"\xff\xfe", 400), (b"[" * 200_000, 400), (b"null", 400),
        (b'{"video":0,"version":0,"change":NaN}', 400), (b'{"video":0}', 400),
        (b'{"video":"0","version":0,"change":{}}', 400), (b'{"video":true,"version":0,"change":{}}', 400),
        (b'{"video":0,"version":0,"change":[]}', 400), (b'{"video":99,"version":0,"change":{"kind":"undo"}}', 404),
        (b'{"video":-1,"version":0,"change":{"kind":"undo"}}', 404),
        (b'{"video":0,"version":0,"change":{"kind":"undo"}}', 422), (b'{"video":0,"version":0,"change":{}}', 422),
        (b'{"video":0,"version":0,"change":{"kind":"add","start":1e400,"end":2,"label":"a"}}', 400),
        (b'{"video":0,"version":9,"change":{"kind":"undo"}}', 409),
        (b'{"video":' + b"9" * 4000 + b',"version":0,"change":{}}', 404),
    ],
)  # fmt: skip
def test_a_body_that_is_no_edit_is_refused_with_a_sentence(client, body, status):
    received, answer = client.post(body)
    assert received == status and answer["error"] and client.session.states()[0] == 0


def test_a_body_that_is_huge_endless_or_of_no_length_is_refused(client):
    assert client.post(b"", Content_Length=str(LARGEST_EDIT + 1))[0] == 413
    assert client.post(b"", Content_Length="-1")[0] == 400
    assert client.post(b"", Content_Length="1e3")[0] == 400
    assert client.post(b"", Content_Length=None)[0] == 411
    assert client.post(b"0\r\n\r\n", Content_Length=None, Transfer_Encoding="chunked")[0] == 411
    assert client.post({"video": 0, "version": 0, "change": {"kind": "accept", "ids": [0]}})[0] == 200


def test_an_edit_that_cannot_be_saved_is_refused(client, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        status, answer = client.edit(0, 0, kind="accept", ids=[0])
    assert status == 507 and "No space left" in answer["error"]
    assert client.edit(0, 0, kind="accept", ids=[0])[0] == 200


def test_fifty_clients_edit_and_read_and_nothing_is_lost(client, tmp_path):
    wrong: list[object] = []

    def work(number: int) -> None:
        video, edits = number % 2, 0
        version, since = 0, 0
        while edits < 4:
            label = f"{number}-{edits}"
            status, answer = client.edit(video, version, kind="add", start=1, end=2, label=label)
            if status not in (200, 409) or answer["state"]["version"] < version:
                wrong.append((status, answer))
                return
            edits, version = edits + (status == 200), answer["state"]["version"]
            reply, content = client.request("GET", f"api/changes?since={since}")
            since = json.loads(content)["number"]
            state = json.loads(content)["states"].get(str(video))
            # An edit that was answered is visible to everybody at once, and versions never go back.
            if reply.status != 200 or (state is not None and state["version"] < version):
                wrong.append(content)
            if status == 200 and label not in {item[3] for item in answer["state"]["items"]}:
                wrong.append(answer)

    threads = [threading.Thread(target=work, args=[i]) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    for video in (0, 1):
        version = client.session.states()[1][video].version
        assert version == 100 and client.edit(video, version, kind="done", done=True)[0] == 200
    written = read_activitynet(tmp_path / "out.json")
    labels = {action.label for timeline in written.timelines.values() for action in timeline.actions}
    assert labels == {f"{i}-{n}" for i in range(50) for n in range(4)}
    lines = (tmp_path / "out.json.edits.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 200 + 2


# The command


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_interrupted_and_says_what_is_saved(tmp_path, end):
    video = tmp_path / "videos" / "a.mp4"
    write_video(video, (np.zeros((32, 48, 3), np.uint8) for _ in range(24)), 4)
    with video.open("ab") as stream:
        stream.truncate(100_000_000)
    write_activitynet_results(tmp_path / "r.json", {"a": Timeline(6.0, (Action(1.0, 3.0, "jump", 0.9),))})
    command = [sys.executable, "-m", "untrimmed.cli", "review", "r.json", "--videos", "videos", "--out", "new.json"]
    process = subprocess.Popen(
        [*command, "--no-browser"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().split(" at ")[1].strip()
    port, token = address.removeprefix("http://127.0.0.1:").rstrip("/").split("/")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    change = {"video": 0, "version": 0, "change": {"kind": "done", "done": True}}
    headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    connection.request("POST", f"/{token}/api/edit", json.dumps(change), headers)
    assert connection.getresponse().read()
    # The end waits for no client: this one begins to watch the video and reads no further.
    connection.request("GET", f"/{token}/video/0")
    assert connection.getresponse().read(1)
    process.send_signal(end)
    out, err = process.communicate(timeout=30)
    connection.close()
    assert process.returncode == 0 and err == ""
    assert "1 of 1 videos are done and written to new.json; every edit (1 so far) is kept" in out.replace("\n", " ")
    assert list(read_activitynet(tmp_path / "new.json").timelines) == ["a"]


def test_a_port_that_is_taken_is_bad_input(client, tmp_path):
    for port, words in (
        (client.server.port, r"cannot be listened at \(\[.*in use\); give"),
        (99_999, "no such port"),
        (-1, "no such port"),
    ):
        with pytest.raises(BadInput, match=words):
            ReviewServer("t", client.session, tmp_path, port)
