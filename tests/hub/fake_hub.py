"""A local stand-in for the Hugging Face Hub that the real `huggingface_hub` client talks to over HTTP.

    with FakeHub(tmp_path) as hub:                      # HF_ENDPOINT=hub.url, HF_HUB_DISABLE_XET=1
        HfApi(token=WRITER).create_repo("ada/hair")
        hub.faults.add("stall", path="/resolve/")       # every later download hangs
        hub.files("ada/hair")                           # {"README.md": b"..."} of main

Like the real Hub it has two origins: one for the API and small files, one for the storage of large files. Responses
contain what `huggingface_hub` 1.x and 2.x read. Large files are transferred without Xet.
"""

import base64
import contextlib
import hashlib
import json
import re
import socket
import threading
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

WRITER, READER, STRANGER = "hf_ada_writes", "hf_ada_reads", "hf_bob_writes"
TOKENS = {
    WRITER: {"name": "ada", "role": "write"},
    READER: {"name": "ada", "role": "read"},
    STRANGER: {"name": "bob", "role": "write"},
}
LARGE_SUFFIXES = (".safetensors", ".onnx", ".png")
YAML_BLOCK = re.compile(r"^\s*---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
INVERTED_BYTES = bytes(255 - byte for byte in range(256))

Response = tuple[int, dict[str, str], bytes]


@dataclass
class Fault:
    """A failure of the requests that it matches.

    Attributes:
        kind: "status": respond with `status`, `code` and `message`. "stall": send nothing more after `at` bytes of the
            body, or nothing at all without `at`. "cut": disconnect there. "corrupt": invert the bytes of the body.
        path: a regular expression that the path must contain.
        method: the method, or any but HEAD.
        times: how many requests fail; None means all.
    """

    kind: str
    path: str = ""
    method: str = ""
    times: int | None = None
    at: int = 0
    status: int = 500
    code: str = ""
    message: str = "Internal Error"


class Faults:
    def __init__(self):
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, kind: str, **details: Any) -> None:
        self._faults.append(Fault(kind, **details))

    def clear(self) -> None:
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                is_matched = method == fault.method if fault.method else method != "HEAD"
                if is_matched and re.search(fault.path, path) and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None


class ApiError(Exception):
    """A response other than success, in the Hub's format."""

    def __init__(self, status: int, message: str, code: str = "", **extra: Any):
        self.status, self.message, self.code, self.extra = status, message, code, extra


@dataclass
class Repo:
    kind: str
    id: str
    private: bool = False
    gated: bool = False
    sdk: str | None = None
    main: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict] = field(default_factory=dict)
    variables: dict[str, dict] = field(default_factory=dict)
    hardware: str | None = None
    secrets: dict[str, str] = field(default_factory=dict)

    def commit_of(self, revision: str) -> str:
        commit = self.main if revision == "main" else self.tags.get(revision)
        prefixed = [commit for commit in self.commits if len(revision) >= 7 and commit.startswith(revision)]
        for found in (commit, *prefixed):
            if found:
                return found
        raise ApiError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, title: str, files: dict[str, dict]) -> str:
        content = json.dumps([self.id, title, files, len(self.commits)]).encode()
        commit = hashlib.sha1(content).hexdigest()
        date = datetime.fromtimestamp(1.7e9 + 60 * len(self.commits), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.commits[commit] = {"title": title, "parent": self.main, "files": files, "date": date}
        self.main = commit
        return commit


class FakeHub:
    """The stand-in, which runs from `__enter__` to `__exit__` and may be started again.

    Attributes:
        url: the origin of the API.
        storage_url: the origin of large files.
        faults: what goes wrong.
        requests: "METHOD /path" of every request; those to the storage with the full URL.
        leaked_tokens: requests to the storage that carried the caller's token.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.faults = Faults()
        self.requests: list[str] = []
        self.leaked_tokens: list[str] = []
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self._ports = (0, 0)
        self._servers: list[ThreadingHTTPServer] = []

    def __enter__(self) -> "FakeHub":
        self.stopping.clear()
        for handler, port in zip((ApiHandler, StorageHandler), self._ports, strict=True):
            server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (handler,), {"hub": self}))
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            self._servers.append(server)
        self._ports = tuple(server.server_port for server in self._servers)
        # Two names of loopback, as huggingface_hub 1.x regards all ports of a host as one origin.
        self.url, self.storage_url = f"http://127.0.0.1:{self._ports[0]}", f"http://localhost:{self._ports[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at once and disconnect, as if the process was killed."""
        self.stopping.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._servers.clear()

    def repo(self, repo_id: str, kind: str = "models") -> Repo:
        """Return a copy of a repository's state."""
        return deepcopy(self.repos[kind, repo_id])

    def files(self, repo_id: str, kind: str = "models") -> dict[str, bytes]:
        repo = self.repo(repo_id, kind)
        return {name: self.read(entry) for name, entry in repo.commits[repo.commit_of("main")]["files"].items()}

    def put(self, repo_id: str, files: dict[str, bytes | None]) -> str:
        """Commit files to main as the owner would in a browser; None deletes. Return the commit."""
        with self.lock:
            repo = self.repos.setdefault(("models", repo_id), Repo("models", repo_id))
            entries = dict(repo.commits[repo.main]["files"]) if repo.main else {}
            for name, content in files.items():
                if content is None:
                    del entries[name]
                else:
                    entries[name] = self.store(content, is_large=name.endswith(LARGE_SUFFIXES))
            return repo.commit("Edit", entries)

    def store(self, content: bytes, is_large: bool = False) -> dict:
        sha1 = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        name = hashlib.sha256(content).hexdigest() if is_large else sha1
        (self.folder / name).write_bytes(content)
        return large_entry(name, len(content)) if is_large else {"oid": sha1, "size": len(content)}

    def read(self, entry: dict) -> bytes:
        return (self.folder / (entry["lfs"]["sha256"] if "lfs" in entry else entry["oid"])).read_bytes()


def large_entry(sha256: str, size: int) -> dict:
    """Describe a large file as Git LFS does; the Git hash of its pointer is made up."""
    return {"oid": sha256[:40], "size": size, "lfs": {"sha256": sha256, "size": size, "pointerSize": 130}}


class FaultyHandler(BaseHTTPRequestHandler):
    """Reads a request, applies faults, and sends what `respond` returns."""

    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.hub.connections.add(self.connection)

    def finish(self) -> None:
        self.hub.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, ValueError):
            super().handle()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.record_request()
        fault = self.hub.faults.take(self.command, self.path) or Fault("none")
        length = int(self.headers.get("Content-Length") or 0)
        if fault.kind in ("stall", "cut") and (length or not fault.at):
            self.rfile.read(min(length, fault.at))
            self.disconnect(fault)
            return
        self.body = self.rfile.read(length)
        if len(self.body) < length:  # the client was killed
            self.close_connection = True
            return
        try:
            if fault.kind == "status":
                raise ApiError(fault.status, fault.message, fault.code)
            status, headers, content = self.respond()
        except ApiError as error:
            status, content = error.status, json.dumps({"error": error.message, **error.extra}).encode()
            headers = {"X-Error-Message": error.message, "X-Error-Code": error.code}
        if fault.kind == "corrupt":
            content = content.translate(INVERTED_BYTES)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            is_interrupted = fault.kind in ("stall", "cut")
            self.wfile.write(content[: fault.at] if is_interrupted else content)
            if is_interrupted:
                self.disconnect(fault)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def disconnect(self, fault: Fault) -> None:
        if fault.kind == "stall":
            self.hub.stopping.wait()
        self.close_connection = True

    def record_request(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")

    def respond(self) -> Response:
        raise NotImplementedError


class StorageHandler(FaultyHandler):
    """Large files by their SHA-256, with a signature in the URL instead of a token."""

    def record_request(self) -> None:
        self.hub.requests.append(f"{self.command} {self.hub.storage_url}{self.path}")
        if self.headers.get("Authorization"):
            self.hub.leaked_tokens.append(f"{self.command} {self.path}")

    def respond(self) -> Response:
        url = urlsplit(self.path)
        sha256 = url.path.strip("/")
        if parse_qs(url.query).get("signature") != [sha256[::-1]]:
            raise ApiError(403, "The signature of the URL does not match")
        if self.command == "PUT":
            if self.hub.store(self.body, is_large=True)["lfs"]["sha256"] != sha256:
                raise ApiError(400, "The content does not match its checksum")
            return 200, {"ETag": f'"{sha256}"'}, b""
        return 200, {"ETag": f'"{sha256}"'}, (self.hub.folder / sha256).read_bytes()


class ApiHandler(FaultyHandler):
    """The API, and downloads of small files."""

    # Method, path, and the name of the method of this class, which takes the groups as arguments.
    ROUTES: ClassVar = [
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/validate-yaml", "validate_yaml"),
        ("GET", r"/api/(models|spaces)/([^/]+/[^/]+)", "info"),
        ("GET", r"/api/(models|spaces)/([^/]+/[^/]+)/revision/(.+)", "info"),
        ("GET", r"/api/(models)/([^/]+/[^/]+)/refs", "refs"),
        ("GET", r"/api/(models)/([^/]+/[^/]+)/commits/(.+)", "commits"),
        ("POST", r"/api/(models|spaces)/([^/]+/[^/]+)/preupload/main", "preupload"),
        ("POST", r"/api/(models|spaces)/([^/]+/[^/]+)/commit/main", "commit"),
        ("POST", r"/api/(models)/([^/]+/[^/]+)/tag/([^/]+)", "tag"),
        ("POST", r"/api/(spaces)/([^/]+/[^/]+)/(variables|secrets|hardware)", "configure_space"),
        ("POST", r"/(?:(spaces)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", "lfs_batch"),
        ("GET", r"/(?:(spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
    ]

    def respond(self) -> Response:
        path = urlsplit(self.path).path
        method = "GET" if self.command == "HEAD" else self.command
        for route_method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if route_method == method and match:
                groups = [unquote(group) if group else "models" for group in match.groups()]
                with self.hub.lock:
                    answer = getattr(self, name)(*groups)
                if isinstance(answer, tuple):
                    return answer
                return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        raise ApiError(404, f"Cannot {self.command} {path}")

    def caller(self, required: bool = True) -> dict | None:
        header = self.headers.get("Authorization")
        if not header:
            if required:
                raise ApiError(401, "Invalid username or password.")
            return None
        known = TOKENS.get(header.removeprefix("Bearer "))
        if known is None:
            raise ApiError(401, "Invalid credentials in Authorization header")
        return known

    def readable(self, kind: str, repo_id: str) -> Repo:
        caller = self.caller(required=False)
        is_owner = caller is not None and caller["name"] == repo_id.split("/")[0]
        repo = self.hub.repos.get((kind, repo_id))
        if repo is None or (repo.private and not is_owner):
            raise ApiError(404 if caller else 401, "Repository not found", "RepoNotFound")
        if repo.gated and not is_owner:
            raise ApiError(403, "Access to this model is restricted", "GatedRepo")
        return repo

    def writable(self, kind: str, repo_id: str) -> Repo:
        repo, caller = self.readable(kind, repo_id), self.caller()
        if caller["role"] != "write" or caller["name"] != repo_id.split("/")[0]:
            raise ApiError(403, f"Forbidden: you don't have the required permissions to write to {repo_id}")
        return repo

    def json(self) -> dict:
        return json.loads(self.body)

    def whoami(self) -> dict:
        caller = self.caller()
        token = {"displayName": "test", "role": caller["role"]}
        return {"type": "user", "name": caller["name"], "orgs": [], "auth": {"accessToken": token}}

    def create(self) -> dict:
        request, caller = self.json(), self.caller()
        owner = request.get("organization") or caller["name"]
        if caller["role"] != "write" or owner != caller["name"]:
            raise ApiError(403, f'You don\'t have the rights to create a repository under the namespace "{owner}"')
        kind, repo_id = request.get("type", "model") + "s", f"{owner}/{request['name']}"
        url = f"{self.hub.url}/{repo_id}" if kind == "models" else f"{self.hub.url}/{kind}/{repo_id}"
        if (kind, repo_id) in self.hub.repos:
            raise ApiError(409, "You already created this repo", url=url)
        private = request.get("visibility") == "private" or bool(request.get("private"))
        repo = self.hub.repos[kind, repo_id] = Repo(kind, repo_id, private, sdk=request.get("sdk"))
        repo.commit("initial commit", {".gitattributes": self.hub.store(b"*.safetensors filter=lfs\n")})
        return {"url": url, "name": repo.id}

    def validate_yaml(self) -> dict:
        """Check what the Hub documents: a mapping, lists of strings, a well-formed model-index."""
        block = YAML_BLOCK.match(self.json()["content"])
        content = yaml.safe_load(block[1]) if block else {}
        errors = []
        for name in ("tags", "datasets", "metrics"):
            if not all(isinstance(value, str) for value in content.get(name) or []):
                errors.append(f'"{name}" must be a list of strings')
        for model in content.get("model-index") or []:
            for result in model["results"]:
                if not {"type", "name"} <= result["dataset"].keys() or "type" not in result["task"]:
                    errors.append('"model-index" needs a task and a data set')
                if any("type" not in metric or isinstance(metric["value"], str) for metric in result["metrics"]):
                    errors.append('"metrics" need a type and a number')
        if errors:
            raise ApiError(400, "Invalid metadata", errors=[{"message": text} for text in errors], warnings=[])
        return {"errors": [], "warnings": [] if block else [{"message": "empty or missing yaml metadata"}]}

    def info(self, kind: str, repo_id: str, revision: str = "main") -> dict:
        repo = self.readable(kind, repo_id)
        commit = repo.commit_of(revision)
        siblings = [
            {"rfilename": name, "size": entry["size"], "blobId": entry["oid"], "lfs": entry.get("lfs")}
            if "blobs" in self.path
            else {"rfilename": name}
            for name, entry in repo.commits[commit]["files"].items()
        ]
        return {"id": repo.id, "sha": commit, "private": repo.private, "siblings": siblings, "sdk": repo.sdk}

    def refs(self, kind: str, repo_id: str) -> dict:
        repo = self.readable(kind, repo_id)
        tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": commit} for tag, commit in repo.tags.items()]
        return {"branches": [], "tags": tags, "converts": [], "pullRequests": []}

    def commits(self, kind: str, repo_id: str, revision: str) -> list[dict]:
        repo = self.readable(kind, repo_id)
        rows, commit = [], repo.commit_of(revision)
        while commit:
            found = repo.commits[commit]
            rows.append({"id": commit, "title": found["title"], "message": "", "date": found["date"], "authors": []})
            commit = found["parent"]
        return rows

    def preupload(self, kind: str, repo_id: str) -> dict:
        repo = self.writable(kind, repo_id)
        present = repo.commits[repo.main]["files"] if repo.main else {}
        files = []
        for name in [file["path"] for file in self.json()["files"]]:
            mode = "lfs" if name.endswith(LARGE_SUFFIXES) else "regular"
            files.append({"path": name, "uploadMode": mode, "shouldIgnore": False})
            if name in present:
                files[-1]["oid"] = present[name].get("lfs", {}).get("sha256") or present[name]["oid"]
        return {"files": files}

    def lfs_batch(self, kind: str, repo_id: str) -> dict:
        self.writable(kind, repo_id)
        objects = [dict(item) for item in self.json()["objects"]]
        for item in objects:
            if not (self.hub.folder / item["oid"]).is_file():
                item["actions"] = {"upload": {"href": self.signed_url(item["oid"]), "header": {}}}
        return {"transfer": "basic", "objects": objects}

    def signed_url(self, sha256: str) -> str:
        return f"{self.hub.storage_url}/{sha256}?signature={sha256[::-1]}"

    def commit(self, kind: str, repo_id: str) -> dict:
        repo = self.writable(kind, repo_id)
        head, *operations = [json.loads(line) for line in self.body.splitlines() if line.strip()]
        files = dict(repo.commits[repo.main]["files"]) if repo.main else {}
        for operation in operations:
            value = operation["value"]
            name = value["path"]
            if operation["key"] == "file":
                files[name] = self.hub.store(base64.b64decode(value["content"]))
            elif operation["key"] == "lfsFile":
                if not (self.hub.folder / value["oid"]).is_file():
                    raise ApiError(400, f"The large file {name} was never uploaded")
                files[name] = large_entry(value["oid"], value["size"])
            else:
                del files[name]
        commit = repo.commit(head["value"]["summary"], files)
        return {"success": True, "commitOid": commit, "commitUrl": f"{self.hub.url}/{repo.id}/commit/{commit}"}

    def tag(self, kind: str, repo_id: str, revision: str) -> dict:
        repo, name = self.writable(kind, repo_id), self.json()["tag"]
        if name in repo.tags:
            raise ApiError(409, f"Tag reference exists already: {name}")
        repo.tags[name] = repo.commit_of(revision)
        return {}

    def configure_space(self, kind: str, repo_id: str, setting: str) -> dict:
        repo, request = self.writable(kind, repo_id), self.json()
        if setting == "hardware":
            repo.hardware = request["flavor"]
            return {"stage": "BUILDING", "hardware": {"current": None, "requested": repo.hardware}}
        if setting == "secrets":
            repo.secrets[request["key"]] = request["value"]
            return {}
        repo.variables[request["key"]] = {"value": request["value"], "updatedAt": "2024-01-01T00:00:00.000Z"}
        return repo.variables

    def resolve(self, kind: str, repo_id: str, revision: str, name: str) -> Response:
        repo = self.readable(kind, repo_id)
        commit = repo.commit_of(revision)
        entry = repo.commits[commit]["files"].get(name)
        if entry is None:
            raise ApiError(404, "Entry not found", "EntryNotFound")
        headers = {"X-Repo-Commit": commit, "ETag": f'"{entry["oid"]}"'}
        if "lfs" not in entry:
            return 200, headers, self.hub.read(entry)
        sha256 = entry["lfs"]["sha256"]
        headers |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(entry["size"])}
        return 302, {**headers, "Location": self.signed_url(sha256)}, b""
