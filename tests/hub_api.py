"""The two origins of the stand-in for the Hub: its API with small files, and the storage of large files.

What is answered, and with which headers, follows what `huggingface_hub` 1.x and 2.x read (`_commit_api.py`,
`file_download.py`, `hf_api.py`, `lfs.py`, `utils/_http.py`).
"""

import base64
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

import yaml
from hub_http import FaultyHandler, Refusal

WRITER, READER, STRANGER = "hf_ada_writes", "hf_ada_reads", "hf_bob_writes"
TOKENS = {
    WRITER: {"name": "ada", "role": "write"},
    READER: {"name": "ada", "role": "read"},
    STRANGER: {"name": "bob", "role": "write"},
}
LARGE = (".safetensors", ".onnx", ".png")  # what the Hub's default .gitattributes keeps as large files
YAML_BLOCK = re.compile(r"^\s*---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
SPACE_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@dataclass
class Repo:
    kind: str  # "models", "datasets" or "spaces"
    id: str
    private: bool = False
    sdk: str | None = None
    branches: dict[str, str | None] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict] = field(
        default_factory=dict
    )  # hash -> {"title", "parent", "date", "files": {path: entry}}
    variables: dict[str, dict] = field(default_factory=dict)
    hardware: str | None = None
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        return "" if self.kind == "models" else f"{self.kind}/"

    def commit_of(self, revision: str) -> str:
        for found in (self.branches.get(revision), self.tags.get(revision)):
            if found:
                return found
        if len(revision) >= 7:
            for commit in self.commits:
                if commit.startswith(revision):
                    return commit
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, branch: str, title: str, files: dict[str, dict]) -> str:
        parent = self.branches.get(branch)
        content = json.dumps([self.id, title, parent, files, len(self.commits)]).encode()
        commit = hashlib.sha1(content).hexdigest()
        date = datetime.fromtimestamp(1.7e9 + 60 * len(self.commits), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.commits[commit] = {"title": title, "parent": parent, "files": files, "date": date}
        self.branches[branch] = commit
        return commit


class Storage(FaultyHandler):
    """The second origin: large files by their sha256, with a signature in the URL instead of a token."""

    def note_request(self) -> None:
        self.hub.requests.append(f"{self.command} {self.hub.storage_url}{self.path}")
        if self.headers.get("Authorization"):
            self.hub.leaked.append(f"{self.command} {self.path}")

    def respond(self) -> tuple[int, dict, bytes]:
        url = urlsplit(self.path)
        sha256 = url.path.strip("/")
        if parse_qs(url.query).get("signature") != [sha256[::-1]]:
            raise Refusal(403, "The signature of the URL does not match")
        if self.command == "PUT":
            if hashlib.sha256(self.body).hexdigest() != sha256:
                raise Refusal(400, "The content does not match its checksum")
            self.hub.store_large(self.body)
            return 200, {"ETag": f'"{sha256}"'}, b""
        path = self.hub.folder / "objects" / sha256
        if not path.is_file():
            raise Refusal(404, "No such object")
        return self.ranged({"ETag": f'"{sha256}"', "Content-Type": "application/octet-stream"}, path.read_bytes())


class HubApi(FaultyHandler):
    """The first origin: the API, and `resolve`."""

    ROUTES: ClassVar = [  # method, path, name of the method here; the groups are its arguments
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/validate-yaml", "validate_yaml"),
        ("GET", r"/api/(models|datasets|spaces)/([^/]+/[^/]+)", "info"),
        ("GET", r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/revision/(.+)", "info"),
        ("GET", r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/tree/([^/]+)(?:/(.+))?", "tree"),
        ("GET", r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/refs", "refs"),
        ("GET", r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/commits/(.+)", "commits"),
        ("POST", r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/preupload/([^/]+)", "preupload"),
        ("POST", r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/commit/([^/]+)", "commit"),
        ("POST", r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/tag/([^/]+)", "tag"),
        ("GET", r"/api/(spaces)/([^/]+/[^/]+)/variables", "variables"),
        ("POST", r"/api/(spaces)/([^/]+/[^/]+)/variables", "set_variable"),
        ("POST", r"/api/(spaces)/([^/]+/[^/]+)/secrets", "set_secret"),
        ("POST", r"/api/(spaces)/([^/]+/[^/]+)/hardware", "set_hardware"),
        ("POST", r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", "lfs_batch"),
        ("GET", r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
    ]

    def respond(self) -> tuple[int, dict, bytes]:
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        method = "GET" if self.command == "HEAD" else self.command
        for wanted, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, url.path)
            if wanted == method and match:
                groups = [unquote(group) if group else group for group in match.groups()]
                with self.hub._lock:
                    answer = getattr(self, name)(*groups)
                if isinstance(answer, tuple):
                    return answer
                return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        raise Refusal(404, f"Cannot {self.command} {url.path}")

    # Who asks, and what for

    def caller(self) -> dict | None:
        header = self.headers.get("Authorization") or ""
        if not header:
            return None
        known = TOKENS.get(header.removeprefix("Bearer "))
        if known is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return known

    def readable(self, kind: str | None, repo_id: str) -> Repo:
        caller = self.caller()
        try:
            repo = self.hub.repo(repo_id, kind or "models")
        except Refusal:
            repo = None
        if repo is None or (repo.private and (caller is None or caller["name"] != repo_id.split("/")[0])):
            raise Refusal(404 if caller else 401, "Repository not found", "RepoNotFound")
        return repo

    def writable(self, kind: str | None, repo_id: str) -> Repo:
        repo, caller = self.readable(kind, repo_id), self.caller()
        if caller is None:
            raise Refusal(401, "Invalid username or password.")
        if caller["role"] != "write" or caller["name"] != repo_id.split("/")[0]:
            raise Refusal(403, f"Forbidden: you don't have the required permissions to write to {repo_id}")
        return repo

    def json(self) -> dict:
        return json.loads(self.body)

    # The API

    def whoami(self):
        caller = self.caller()
        if caller is None:
            raise Refusal(401, "Invalid username or password.")
        return {
            "type": "user",
            "id": caller["name"],
            "name": caller["name"],
            "fullname": caller["name"].title(),
            "orgs": [],
            "auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": caller["role"]}},
        }

    def create(self):
        asked, caller = self.json(), self.caller()
        if caller is None:
            raise Refusal(401, "Invalid username or password.")
        owner = asked.get("organization") or caller["name"]
        if caller["role"] != "write" or owner != caller["name"]:
            raise Refusal(
                403,
                f'You don\'t have the rights to create a {asked.get("type", "model")} under the namespace "{owner}"',
            )
        kind = asked.get("type", "model") + "s"
        repo = Repo(
            kind,
            f"{owner}/{asked['name']}",
            sdk=asked.get("sdk"),
            private=asked.get("visibility") == "private" or bool(asked.get("private")),
        )
        url = f"{self.hub.url}/{repo.prefix}{repo.id}"
        if self.hub.exists(repo.id, kind):
            raise Refusal(409, "You already created this repo", url=url)
        repo.variables = {item["key"]: item for item in asked.get("variables") or []}
        attributes = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LARGE).encode()
        repo.commit("main", "initial commit", {".gitattributes": self.hub.store_small(attributes)})
        self.hub.save(repo)
        return {"url": url, "name": repo.id}

    def validate_yaml(self):
        """The Hub's published checks: a mapping, known Space settings, a well-formed model-index."""
        asked = self.json()
        block = YAML_BLOCK.match(asked["content"])
        try:
            content = yaml.safe_load(block.group(1)) if block else {}
        except yaml.YAMLError as error:
            return self.yaml_answer([f"not YAML: {error}"], [])
        if not isinstance(content, dict):
            return self.yaml_answer(["must be a mapping"], [])
        errors = []
        for name in ("tags", "datasets", "metrics"):
            if not all(isinstance(value, str) for value in content.get(name) or []):
                errors.append(f'"{name}" must be a list of strings')
        for model in content.get("model-index") or []:
            if not isinstance(model.get("name"), str):
                errors.append('"model-index[0].name" is required')
            for result in model.get("results") or [{}]:
                if not (result.get("task") or {}).get("type"):
                    errors.append('"results.task.type" is required')
                if not {"type", "name"} <= (result.get("dataset") or {}).keys():
                    errors.append('"results.dataset.type" and "name" are required')
                for metric in result.get("metrics") or [{}]:
                    if not {"type", "value"} <= metric.keys() or isinstance(metric["value"], str):
                        errors.append('"results.metrics" need a type and a number')
        if asked.get("repoType") == "space":
            if content.get("sdk") not in ("gradio", "docker", "static", "streamlit"):
                errors.append('"sdk" must be one of gradio, docker, static, streamlit')
            if not isinstance(content.get("sdk_version", ""), str):
                errors.append('"sdk_version" must be a string')
            for name in ("colorFrom", "colorTo"):
                if content.get(name, "red") not in SPACE_COLOURS:
                    errors.append(f'"{name}" must be one of {", ".join(sorted(SPACE_COLOURS))}')
            if len(content.get("short_description", "")) > 60:
                errors.append('"short_description" must be at most 60 characters')
        return self.yaml_answer(errors, [] if block else ["empty or missing yaml metadata in repo card"])

    def yaml_answer(self, errors: list[str], warnings: list[str]):
        content = {
            "errors": [{"message": text} for text in errors],
            "warnings": [{"message": text} for text in warnings],
        }
        if errors:
            raise Refusal(400, "Invalid metadata", **content)
        return content

    def info(self, kind: str, repo_id: str, revision: str = "main"):
        repo = self.readable(kind, repo_id)
        commit = repo.commit_of(revision)
        siblings = []
        for path, entry in repo.commits[commit]["files"].items():
            sibling = {"rfilename": path}
            if "blobs" in self.query:
                sibling |= {"size": entry["size"], "blobId": entry["oid"]}
                if "lfs" in entry:
                    sibling["lfs"] = {
                        "sha256": entry["lfs"]["oid"],
                        "size": entry["size"],
                        "pointerSize": entry["lfs"]["pointerSize"],
                    }
            siblings.append(sibling)
        return {
            "_id": repo.id,
            "id": repo.id,
            "modelId": repo.id,
            "author": repo.id.split("/")[0],
            "sha": commit,
            "private": repo.private,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "lastModified": "2024-01-01T00:00:00.000Z",
            "createdAt": "2024-01-01T00:00:00.000Z",
            "siblings": siblings,
            **({"sdk": repo.sdk} if repo.sdk else {}),
        }

    def tree(self, kind: str, repo_id: str, revision: str, folder: str | None):
        repo = self.readable(kind, repo_id)
        files = repo.commits[repo.commit_of(revision)]["files"]
        inside = f"{folder}/" if folder else ""
        found = {path: entry for path, entry in files.items() if path.startswith(inside)}
        if folder and not found:
            raise Refusal(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        rows = [
            {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
            for path in sorted(
                {path[: cut.start()] for path in found for cut in re.finditer("/", path) if cut.start() > len(inside)}
            )
        ]
        rows += [{"type": "file", "path": path, **entry} for path, entry in found.items()]
        if self.query.get("recursive", ["False"])[0].lower() != "true":
            rows = [row for row in rows if "/" not in row["path"][len(inside) :]]
        return rows

    def refs(self, kind: str, repo_id: str):
        repo = self.readable(kind, repo_id)
        return {
            "branches": [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit}
                for name, commit in repo.branches.items()
            ],
            "tags": [
                {"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit} for name, commit in repo.tags.items()
            ],
            "converts": [],
            "pullRequests": [],
        }

    def commits(self, kind: str, repo_id: str, revision: str):
        repo = self.readable(kind, repo_id)
        rows, commit = [], repo.commit_of(revision)
        while commit:
            found = repo.commits[commit]
            authors = [{"user": repo.id.split("/")[0]}]
            rows.append(
                {"id": commit, "title": found["title"], "message": "", "date": found["date"], "authors": authors}
            )
            commit = found["parent"]
        return rows

    def preupload(self, kind: str, repo_id: str, revision: str):
        repo = self.writable(kind, repo_id)
        parent = repo.branches.get(revision)
        present = repo.commits[parent]["files"] if parent else {}
        answer = []
        for file in self.json()["files"]:
            path, entry = file["path"], present.get(file["path"])
            oid = entry and (entry["lfs"]["oid"] if "lfs" in entry else entry["oid"])
            answer.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if path.endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                    **({"oid": oid} if oid else {}),
                }
            )
        return {"files": answer, "commitOid": parent}

    def lfs_batch(self, kind: str | None, repo_id: str):
        self.writable(kind, repo_id)
        objects = []
        for item in self.json()["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if not (self.hub.folder / "objects" / item["oid"]).is_file():
                answer["actions"] = {"upload": {"href": self.signed(item["oid"]), "header": {}}}
            objects.append(answer)
        return {"transfer": "basic", "objects": objects}

    def signed(self, sha256: str) -> str:
        return f"{self.hub.storage_url}/{sha256}?signature={sha256[::-1]}"

    def commit(self, kind: str, repo_id: str, branch: str):
        repo = self.writable(kind, repo_id)
        if branch not in repo.branches:
            raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        lines = [json.loads(line) for line in self.body.splitlines() if line.strip()]
        head, parent = lines[0]["value"], repo.branches[branch]
        if head.get("parentCommit") and not (parent or "").startswith(head["parentCommit"]):
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repo.commits[parent]["files"]) if parent else {}
        for line in lines[1:]:
            value = line["value"]
            path = value["path"]
            if line["key"] == "file":
                files[path] = self.hub.store_small(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if not (self.hub.folder / "objects" / value["oid"]).is_file():
                    raise Refusal(400, f"The large file {path} was never uploaded")
                files[path] = self.hub.large_entry(value["oid"], value["size"])
            elif line["key"] == "deletedFile":
                if path not in files:
                    raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
                del files[path]
            elif line["key"] == "deletedFolder":
                files = {name: entry for name, entry in files.items() if not name.startswith(f"{path.rstrip('/')}/")}
        commit = repo.commit(branch, head["summary"], files)
        self.hub.save(repo)
        return {
            "success": True,
            "commitOid": commit,
            "commitUrl": f"{self.hub.url}/{repo.prefix}{repo.id}/commit/{commit}",
            "hookOutput": "",
        }

    def tag(self, kind: str, repo_id: str, revision: str):
        repo, name = self.writable(kind, repo_id), self.json()["tag"]
        if name in repo.tags:
            raise Refusal(409, f"Tag reference exists already: {name}")
        repo.tags[name] = repo.commit_of(revision)
        self.hub.save(repo)
        return {}

    def variables(self, kind: str, repo_id: str):
        return self.writable(kind, repo_id).variables

    def set_variable(self, kind: str, repo_id: str):
        repo, asked = self.writable(kind, repo_id), self.json()
        repo.variables[asked["key"]] = {
            "value": asked["value"],
            "description": asked.get("description", ""),
            "updatedAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        }
        self.hub.save(repo)
        return repo.variables

    def set_hardware(self, kind: str, repo_id: str):
        repo = self.writable(kind, repo_id)
        repo.hardware = self.json()["flavor"]
        self.hub.save(repo)
        return {"stage": "BUILDING", "hardware": {"current": None, "requested": repo.hardware}}

    def set_secret(self, kind: str, repo_id: str):
        repo, asked = self.writable(kind, repo_id), self.json()
        repo.secrets[asked["key"]] = asked["value"]
        self.hub.save(repo)
        return {}

    def resolve(self, kind: str | None, repo_id: str, revision: str, path: str):
        repo = self.readable(kind, repo_id)
        commit = repo.commit_of(revision)
        entry = repo.commits[commit]["files"].get(path)
        if entry is None:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        headers = {
            "X-Repo-Commit": commit,
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(path)}",
            "Content-Type": "application/octet-stream",
        }
        if "lfs" not in entry:
            return self.ranged({**headers, "ETag": f'"{entry["oid"]}"'}, self.hub.content(entry))
        sha256 = entry["lfs"]["oid"]
        headers |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(entry["size"])}
        return 302, {**headers, "ETag": f'"{entry["oid"]}"', "Location": self.signed(sha256)}, b""
