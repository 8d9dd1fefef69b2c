"""A server on the loopback that answers huggingface_hub: repositories of models, their files, refusals."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlparse

import pytest

COMMIT = "1234567890abcdef1234567890abcdef12345678"
TOKEN = "hf_of_a_reader"
LARGE = (".safetensors", ".ckpt", ".bin")
"""Files that the hub keeps in LFS, under their SHA-256; others have git's checksum."""


@dataclass
class SmallHub:
    """What the server holds.

    Attributes:
        url: its address.
        repos: files by repository.
        gated: repositories that need TOKEN.
        sent: what a client gets in place of a file, by repository and name, as after a fault on the way.
        requests: "METHOD path" of every request.
    """

    url: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    sent: dict[tuple[str, str], bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def add_folder(self, repo: str, folder: Path) -> None:
        self.repos[repo] = {path.name: path.read_bytes() for path in folder.iterdir()}


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sibling(name: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": git_sha1(content)}
    if name.endswith(LARGE):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
    return entry


def make_handler(hub: SmallHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def refuse(self, status: int, code: str) -> None:
            self.answer(status, b"{}", X_Error_Code=code, X_Error_Message=code)

        def reply(self) -> None:
            path = unquote(urlparse(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            words = path.strip("/").split("/")
            is_api = words[:2] == ["api", "models"]
            repo = "/".join(words[2:4] if is_api else words[:2])
            if repo not in hub.repos:
                self.refuse(401, "RepoNotFound")
            elif repo in hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.refuse(403 if self.headers.get("Authorization") else 401, "GatedRepo")
            elif is_api:
                self.reply_with_info(repo, words[5:])
            else:
                self.reply_with_file(repo, words[3], "/".join(words[4:]))

        def reply_with_info(self, repo: str, revision: list[str]) -> None:
            if revision and revision[0] not in ("main", "v1", COMMIT):
                self.refuse(404, "RevisionNotFound")
                return
            siblings = [sibling(name, content) for name, content in hub.repos[repo].items()]
            info = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": []}
            self.answer(200, json.dumps(info).encode(), Content_Type="application/json")

        def reply_with_file(self, repo: str, revision: str, name: str) -> None:
            if name not in hub.repos[repo]:
                self.refuse(404, "EntryNotFound")
                return
            content = hub.repos[repo][name]
            entry = sibling(name, content)
            lfs = entry.get("lfs")
            etag = lfs["sha256"] if isinstance(lfs, dict) else entry["blobId"]
            headers = {"ETag": f'"{etag}"', "X_Repo_Commit": COMMIT}
            if lfs:
                headers |= {"X_Linked_Etag": f'"{etag}"', "X_Linked_Size": str(len(content))}
            self.answer(200, hub.sent.get((repo, name), content), **headers)

        def refuse_to_change(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.refuse(401, "NotLoggedIn")

        do_GET = do_HEAD = reply  # noqa: N815
        do_POST = refuse_to_change  # noqa: N815

    return Handler


@contextmanager
def serving(hub: SmallHub) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(hub))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def use_hub(url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let huggingface_hub talk to this server only; it reads the environment once, when it is imported."""
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
