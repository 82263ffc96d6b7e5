"""A stand-in for the Hugging Face Hub on loopback, complete enough for the genuine `huggingface_hub` client.

    with HubServer(tmp_path) as hub:                       # HF_ENDPOINT=hub.url, HF_HUB_DISABLE_XET=1
        HfApi(token=WRITER).create_repo("ada/hair")
        hub.faults.add("stall", path="/resolve/")          # every later download hangs
        hub.files("ada/hair")                              # {"README.md": b"..."} of main

Two origins, as on the real Hub: one for the API and small files, one for the storage of large files, to which
`resolve` redirects and uploads are sent. Repositories live as files below one folder, so a server that is stopped
and started again on the same folder and ports knows what its predecessor knew:

    blobs/<git sha1>    objects/<sha256>    repos/<type>/<owner>/<name>.json
"""

import contextlib
import hashlib
import json
import socket
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

from hub_api import LARGE, HubApi, Repo, Storage
from hub_http import Faults, Refusal


class HubServer:
    """The stand-in, running from `__enter__` to `__exit__`.

    Attributes:
        url, storage_url: the two origins.
        faults: what shall go wrong, see `Fault`.
        requests: "METHOD /path" of every request so far, those to the storage with its full URL.
        leaked: requests to the storage that carried the caller's token, which must never happen.
    """

    def __init__(self, folder: Path, ports: tuple[int, int] = (0, 0)):
        self.folder = Path(folder)
        self.faults = Faults()
        self.requests: list[str] = []
        self.leaked: list[str] = []
        self._ports = ports
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._servers: list[ThreadingHTTPServer] = []
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()

    def __enter__(self) -> "HubServer":
        self._stopping.clear()
        for handler, port in zip((HubApi, Storage), self._ports, strict=True):
            server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (handler,), {"hub": self}))
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            self._servers.append(server)
            self._threads.append(thread)
        self._ports = tuple(server.server_port for server in self._servers)
        # Two names for loopback: huggingface_hub 1.x takes every port of one host for the same origin.
        self.url, self.storage_url = f"http://127.0.0.1:{self._ports[0]}", f"http://localhost:{self._ports[1]}"
        return self

    def __exit__(self, *_) -> None:
        """Stop at once, like a process that is killed: open connections are torn."""
        self._stopping.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._servers.clear()
        self._threads.clear()

    # What tests look at and prepare

    def repo(self, repo_id: str, kind: str = "models") -> Repo:
        """Raises Refusal when there is none."""
        path = self._repo_path(kind, repo_id)
        if not path.is_file():
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return Repo(**json.loads(path.read_text()))

    def exists(self, repo_id: str, kind: str = "models") -> bool:
        return self._repo_path(kind, repo_id).is_file()

    def files(self, repo_id: str, revision: str = "main", kind: str = "models") -> dict[str, bytes]:
        repo = self.repo(repo_id, kind)
        return {path: self.content(entry) for path, entry in repo.commits[repo.commit_of(revision)]["files"].items()}

    def put(self, repo_id: str, files: dict[str, bytes | None], title: str = "Edit", kind: str = "models") -> str:
        """Commit `files` to main as their owner would on the web page (None deletes); return the commit."""
        with self._lock:
            repo = self.repo(repo_id, kind) if self.exists(repo_id, kind) else Repo(kind, repo_id)
            parent = repo.branches.get("main")
            kept = dict(repo.commits[parent]["files"]) if parent else {}
            for path, content in files.items():
                if content is None:
                    del kept[path]
                else:
                    kept[path] = self.store_large(content) if path.endswith(LARGE) else self.store_small(content)
            commit = repo.commit("main", title, kept)
            self.save(repo)
        return commit

    # State on disk

    def _repo_path(self, kind: str, repo_id: str) -> Path:
        return self.folder / "repos" / kind / f"{repo_id}.json"

    def save(self, repo: Repo) -> None:
        self._write(self._repo_path(repo.kind, repo.id), json.dumps(vars(repo)).encode())

    def store_small(self, content: bytes) -> dict:
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        self._write(self.folder / "blobs" / oid, content)
        return {"oid": oid, "size": len(content)}

    def store_large(self, content: bytes) -> dict:
        sha256 = hashlib.sha256(content).hexdigest()
        self._write(self.folder / "objects" / sha256, content)
        return self.large_entry(sha256, len(content))

    def large_entry(self, sha256: str, size: int) -> dict:
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return {
            **self.store_small(pointer),
            "size": size,
            "lfs": {"oid": sha256, "size": size, "pointerSize": len(pointer)},
        }

    def content(self, entry: dict) -> bytes:
        if "lfs" in entry:
            return (self.folder / "objects" / entry["lfs"]["oid"]).read_bytes()
        return (self.folder / "blobs" / entry["oid"]).read_bytes()

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{threading.get_ident()}")
        temporary.write_bytes(content)
        temporary.replace(path)  # never half a file, whenever the server is killed
