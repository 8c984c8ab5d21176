"""Small servers that speak as much of a hub's HTTP interface as its own client library needs."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c" * 40
WEIGHTS = bytes(range(256)) * 40
REPOSITORY = {
    "config.json": b'{"model_type": "bert"}',
    "vocab.txt": b"[PAD]\n[UNK]\n",
    "model.safetensors": WEIGHTS,
    "tf_model.h5": b"the same again",
    "pytorch_model.bin": b"a pickle",
    "train.py": b"code",
    "1_Pooling/config.json": b"{}",
}
KAGGLE = {
    "config.json": b"{}",
    "model.weights.h5": WEIGHTS,
    "assets/tokenizer/vocabulary.txt": b"[PAD]\n",
    "saved_model.pb": b"a graph",
}


class Hub(ThreadingHTTPServer):
    """Remembers the paths it was asked for."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0):
        super().__init__(("127.0.0.1", port), handler)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[Hub]:
    with Hub(handler, port) as hub:
        threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True).start()
        yield hub
        hub.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def answer(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def json(self, data: Any, status: int = 200, **headers: str) -> None:
        self.answer(json.dumps(data).encode(), status, Content_Type="application/json", **headers)

    def log_message(self, format: str, *args: Any) -> None:
        self.server.asked.append(self.path)


class HuggingFace(_Handler):
    """``org/good``; ``org/damaged``, whose weights arrive changed; ``org/pickles`` without safe files."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[0] == "api":
            self._describe("/".join(parts[2:4]), parts[4], parts[5])
        else:
            content = REPOSITORY["/".join(parts[4:])]
            headers = {"X_Repo_Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
            if parts[1] == "damaged" and content == WEIGHTS:
                content = WEIGHTS[:-1] + b"!"
            self.answer(content, **headers)

    def _describe(self, name: str, kind: str, revision: str) -> None:
        if name not in ("org/good", "org/damaged", "org/pickles"):
            self.json({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        elif revision not in ("main", COMMIT):
            self.json({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        elif kind == "tree":
            self.json([self._file("path", path) | {"type": "file", "oid": "0"} for path in self._files(name)])
        else:
            siblings = [self._file("rfilename", path) for path in self._files(name)]
            self.json({"id": name, "sha": COMMIT, "siblings": siblings, "private": False})

    def _files(self, name: str) -> list[str]:
        return ["pytorch_model.bin", "train.py"] if name == "org/pickles" else list(REPOSITORY)

    def _file(self, key: str, path: str) -> dict[str, Any]:
        content = REPOSITORY[path]
        about: dict[str, Any] = {key: path, "size": len(content)}
        if content == WEIGHTS:
            digest = hashlib.sha256(content).hexdigest()
            lfs = {"size": len(content), "pointerSize": 134}
            # The two interfaces name the digest differently.
            about["lfs"] = lfs | ({"oid": digest} if key == "path" else {"sha256": digest})
        return about


class Kaggle(_Handler):
    """Version 3 of ``user/good/keras/base``, and ``user/pickles/keras/base`` without safe files."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = self.path.rpartition("/")[2]
        files = KAGGLE if request.get("modelSlug") == "good" else {"model.pkl": b"a pickle"}
        if request.get("modelSlug") not in ("good", "pickles"):
            self.json({"code": 404, "message": "No such model"}, 404)
        elif method == "GetModelInstance":
            self.json({"versionNumber": 3})
        elif method == "ListModelInstanceVersionFiles":
            self.json({"files": [{"name": name} for name in files], "nextPageToken": ""})
        else:
            self.answer(files[request["path"]])
