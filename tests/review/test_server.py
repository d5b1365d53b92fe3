"""The server of a review: who may ask, what is refused, how videos are sent, and fifty clients at once."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from untrimmed.annotations.formats.activitynet import read_annotations, write_results
from untrimmed.review.desk import Files, open_review
from untrimmed.review.server import LARGEST_EDIT, ReviewServer
from untrimmed.timeline import Action, Timeline
from untrimmed.video.sampling import write_video


class Asked:
    """A server in a thread, and a client that sends what a browser would, unless told otherwise."""

    def __init__(self, server: ReviewServer) -> None:
        self.server = server
        self.base = f"/{server.token}/"

    def ask(self, method: str, path: str, body: bytes | None = None, raw: bool = False, **headers: str | None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        given = {"Host": f"127.0.0.1:{self.server.port}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        try:
            connection.putrequest(
                method, path if raw else self.base + path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in given.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None and "Content-Length" not in given:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def post(self, value: object, **headers: str | None):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        ours = {"Origin": f"http://127.0.0.1:{self.server.port}", "Content_Type": "application/json"}
        answer, content = self.ask("POST", "api/edit", body, **{**ours, **headers})
        return answer.status, json.loads(content)

    def edit(self, video: int, version: int, **change: object):
        return self.post({"video": video, "version": version, "change": change})


@pytest.fixture
def asked(tmp_path, capfd) -> Iterator[Asked]:
    videos = tmp_path / "videos"
    for name in ("a", "b"):
        write_video(videos / f"{name}.mp4", (np.full((32, 48, 3), 9 * i, np.uint8) for i in range(24)), 4)
    write_video(tmp_path / "secret.mp4", (np.zeros((32, 48, 3), np.uint8) for _ in range(8)), 4)
    (videos / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    found = Timeline(6.0, (Action(1.0, 3.0, "jump", 0.9), Action(4.0, 5.0, "run", 0.4)))
    write_results(tmp_path / "r.json", {"a": found, "b": found})
    shelves, review = open_review(Files(tmp_path / "r.json", videos), tmp_path / "out.json")
    server = ReviewServer("Review", shelves, review, videos)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Asked(server)
    server.shutdown()
    thread.join()
    server.server_close()
    review.close()
    # Whatever was asked, nothing is a fault of ours.
    assert "Traceback" not in capfd.readouterr().err


def place(asked: Asked, name: str) -> int:
    return [shelf.start.name for shelf in asked.server.shelves].index(name)


# Who may ask


def test_it_listens_on_this_machine_only(asked):
    assert asked.server.server_address[0] == "127.0.0.1" and len(asked.server.token) >= 32


@pytest.mark.parametrize(
    "path", ["/", "/api/changes?since=0", "/wrong/", "//", "/video/0", "/%C3%A9/", "*", "http://x/"]
)
def test_nothing_is_answered_without_the_token(asked, path):
    answer, content = asked.ask("GET", path, raw=True)
    assert answer.status == 403 and b"jump" not in content
    short = asked.base.rstrip("/")
    assert asked.ask("GET", short, raw=True)[0].status == 403
    assert asked.ask("GET", short[:-1] + "/", raw=True)[0].status == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost.evil.example:1"])
def test_another_name_for_this_machine_is_refused(asked, host):
    assert asked.ask("GET", "", Host=host)[0].status == 403
    assert asked.ask("GET", "", Host=f"localhost:{asked.server.port}")[0].status == 200
    assert asked.ask("GET", "", Host=None)[0].status == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", None])
def test_an_edit_from_another_page_is_refused(asked, origin):
    change = {"video": 0, "version": 0, "change": {"kind": "undo"}}
    assert asked.post(change, Origin=origin)[0] == 403
    assert asked.server.review.number == 0


def test_an_edit_must_say_that_it_is_json(asked):
    assert asked.post({}, Content_Type="text/plain")[0] == 415
    assert asked.post({}, Content_Type=None)[0] == 415


def test_every_answer_forbids_frames_guesses_and_stores(asked):
    for path in ("", "api/changes?since=0", "video/0", "nothing"):
        headers = asked.ask("GET", path)[0].headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer" and "no-store" in headers["Cache-Control"]
    assert "frame-ancestors 'none'" in asked.ask("GET", "")[0].headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "line", ["GET /\xe9/ HTTP/1.1", "GET /{token}/video/\xd9\xa0 HTTP/1.1", "GET", "\x16\x03\x01 / x", ""]
)
def test_bytes_that_are_no_request_are_refused(asked, line):
    with socket.create_connection(("127.0.0.1", asked.server.port), timeout=20) as client:
        words = f"{line}\r\nHost: 127.0.0.1:{asked.server.port}\r\nConnection: close\r\n\r\n"
        client.sendall(words.replace("{token}", asked.server.token).encode("latin-1"))
        answer = b"".join(iter(lambda: client.recv(9999), b""))
    assert not answer or b" 40" in answer[:40] or b"Error response" in answer


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
def test_no_path_leads_out_of_the_table_of_videos(asked, path):
    answer, content = asked.ask("GET", path)
    assert answer.status == 404 and "error" in json.loads(content)


def test_a_link_out_of_the_folder_is_not_followed(asked, tmp_path):
    number = place(asked, "link")
    assert asked.ask("GET", f"video/{number}")[0].status == 404
    assert "outside of the folder" in asked.ask("GET", "")[1].decode()
    # One that became such a link while the server runs is not followed either.
    (tmp_path / "videos" / "a.mp4").unlink()
    (tmp_path / "videos" / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    assert asked.ask("GET", f"video/{place(asked, 'a')}")[0].status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_allowed(asked, method):
    answer, _ = asked.ask(method, "")
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, POST"
    assert asked.ask("BREW", "")[0].status == 501


# Videos


def test_a_piece_of_a_video_is_sent_as_it_lies_on_the_disk(asked, tmp_path):
    number, whole = place(asked, "a"), (tmp_path / "videos" / "a.mp4").read_bytes()
    size = len(whole)
    answer, content = asked.ask("GET", f"video/{number}")
    assert (answer.status, answer.headers["Content-Type"], content) == (200, "video/mp4", whole)
    assert answer.headers["Accept-Ranges"] == "bytes"
    for words, start, end in [
        ("0-99", 0, 100),
        ("100-", 100, size),
        ("-50", size - 50, size),
        (f"5-{10 * size}", 5, size),
        ("7-7", 7, 8),
    ]:
        answer, content = asked.ask("GET", f"video/{number}", Range=f"bytes={words}")
        assert answer.status == 206 and content == whole[start:end]
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    answer, content = asked.ask("HEAD", f"video/{number}", Range="bytes=0-9")
    assert (answer.status, answer.headers["Content-Length"], content) == (206, "10", b"")
    # Another unit is no concern of ours.
    assert asked.ask("GET", f"video/{number}", Range="items=0-1")[1] == whole


@pytest.mark.parametrize("words", ["99999999-", "5-4", "-0", "-", "a-b", "0-1,3-4", "", "1" * 40 + "-"])
def test_a_range_that_is_not_there_is_refused(asked, words):
    number = place(asked, "a")
    answer, _ = asked.ask("GET", f"video/{number}", Range=f"bytes={words}")
    assert answer.status == 416 and answer.headers["Content-Range"].startswith("bytes */")


def test_a_still_is_a_picture_of_the_video(asked):
    answer, content = asked.ask("GET", f"still/{place(asked, 'a')}/2000")
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/jpeg" and content[:2] == b"\xff\xd8"


def test_a_browser_that_goes_away_in_the_midst_is_no_fault(asked):
    with socket.create_connection(("127.0.0.1", asked.server.port)) as client:
        words = f"GET {asked.base}video/0 HTTP/1.1\r\nHost: 127.0.0.1:{asked.server.port}\r\n\r\n"
        client.sendall(words.encode())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    assert asked.ask("GET", "")[0].status == 200


# Edits


def test_an_edit_is_answered_with_the_new_state_and_its_version(asked):
    status, answer = asked.edit(0, 0, kind="accept", ids=[0])
    assert status == 200 and answer["state"]["version"] == 1 and answer["number"] == 1
    assert "edits.jsonl" in answer["saved"]
    changes = json.loads(asked.ask("GET", "api/changes?since=0")[1])
    assert changes["states"] == {"0": answer["state"]}
    assert json.loads(asked.ask("GET", "api/changes?since=1")[1])["states"] == {}


def test_an_edit_on_an_older_version_gets_409_and_the_newer_state(asked):
    asked.edit(0, 0, kind="accept", ids=[0])
    status, answer = asked.edit(0, 0, kind="reject", ids=[1])
    assert status == 409 and answer["state"]["version"] == 1 and asked.server.review.number == 1
    assert asked.edit(0, 1, kind="reject", ids=[1])[0] == 200


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
def test_a_body_that_is_no_edit_is_refused_with_a_sentence(asked, body, status):
    got, answer = asked.post(body)
    assert got == status and answer["error"] and asked.server.review.number == 0


def test_a_body_that_is_huge_endless_or_of_no_length_is_refused(asked):
    assert asked.post(b"", Content_Length=str(LARGEST_EDIT + 1))[0] == 413
    assert asked.post(b"", Content_Length="-1")[0] == 400
    assert asked.post(b"", Content_Length="1e3")[0] == 400
    assert asked.post(b"", Content_Length=None)[0] == 411
    assert asked.post(b"0\r\n\r\n", Content_Length=None, Transfer_Encoding="chunked")[0] == 411
    assert asked.post({"video": 0, "version": 0, "change": {"kind": "accept", "ids": [0]}})[0] == 200


def test_an_edit_that_cannot_be_saved_is_refused(asked, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        status, answer = asked.edit(0, 0, kind="accept", ids=[0])
    assert status == 507 and "No space left" in answer["error"]
    assert asked.edit(0, 0, kind="accept", ids=[0])[0] == 200


def test_fifty_clients_edit_and_read_and_nothing_is_lost(asked, tmp_path):
    wrong: list[object] = []

    def client(number: int) -> None:
        video, made = number % 2, 0
        version, seen = 0, 0
        while made < 4:
            label = f"{number}-{made}"
            status, answer = asked.edit(video, version, kind="add", start=1, end=2, label=label)
            if status not in (200, 409) or answer["state"]["version"] < version:
                wrong.append((status, answer))
                return
            made, version = made + (status == 200), answer["state"]["version"]
            reply, content = asked.ask("GET", f"api/changes?since={seen}")
            seen = json.loads(content)["number"]
            read = json.loads(content)["states"].get(str(video))
            # What was answered is there for everybody at once, and versions never go back.
            if reply.status != 200 or (read is not None and read["version"] < version):
                wrong.append(content)
            if status == 200 and label not in {item[3] for item in answer["state"]["items"]}:
                wrong.append(answer)

    threads = [threading.Thread(target=client, args=[i]) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    for video in (0, 1):
        version = asked.server.review.states()[1][video].version
        assert version == 100 and asked.edit(video, version, kind="done", done=True)[0] == 200
    written = read_annotations(tmp_path / "out.json")
    labels = {action.label for timeline in written.timelines.values() for action in timeline.actions}
    assert labels == {f"{i}-{n}" for i in range(50) for n in range(4)}
    lines = (tmp_path / "out.json.edits.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 200 + 2


# The command


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted_and_says_what_is_saved(tmp_path):
    write_video(tmp_path / "videos" / "a.mp4", (np.zeros((32, 48, 3), np.uint8) for _ in range(24)), 4)
    write_results(tmp_path / "r.json", {"a": Timeline(6.0, (Action(1.0, 3.0, "jump", 0.9),))})
    command = [sys.executable, "-m", "untrimmed.cli", "review", "r.json", "--videos", "videos", "--out", "new.json"]
    started = subprocess.Popen(
        [*command, "--no-browser"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert started.stdout is not None
    first = started.stdout.readline()
    address = first.split(" at ")[1].strip()
    port, token = address.removeprefix("http://127.0.0.1:").rstrip("/").split("/")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    change = {"video": 0, "version": 0, "change": {"kind": "done", "done": True}}
    headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    connection.request("POST", f"/{token}/api/edit", json.dumps(change), headers)
    assert connection.getresponse().status == 200
    connection.close()
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=30)
    assert started.returncode == 0 and err == ""
    assert "1 of 1 videos are done and written to new.json; every edit (1 so far) is kept" in out.replace("\n", " ")
    assert list(read_annotations(tmp_path / "new.json").timelines) == ["a"]


def test_a_port_that_is_taken_is_bad_input(asked, tmp_path):
    from untrimmed.io import BadInput

    with pytest.raises(BadInput, match="cannot be listened at"):
        ReviewServer("t", asked.server.shelves, asked.server.review, Path(tmp_path), asked.server.port)
    with pytest.raises(BadInput, match="cannot be listened at"):
        ReviewServer("t", asked.server.shelves, asked.server.review, Path(tmp_path), 99_999)
