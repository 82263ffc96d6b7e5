"""What has been pushed to a repository on the Hub: its tags, with recipes and scores, the newest first."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError

from hairseg.errors import InputError, printable
from hairseg.hub.errors import FAILURES, explain, retry_once
from hairseg.hub.snapshots import parse_id
from hairseg.hub.timeouts import deadline
from hairseg.repository.config import Config
from hairseg.repository.metrics import COMPARED, Metrics
from hairseg.repository.repository import CONFIG_FILE, METRICS_FILE


@dataclass(frozen=True)
class Release:
    """A tagged state of a repository."""

    tag: str
    commit: str
    date: datetime
    config: Config | None  # None: none that this version can read
    metrics: Metrics

    def __str__(self) -> str:
        words = [self.tag, f"{self.date:%Y-%m-%d}"]
        if self.config:
            recipes = {entry.recipe or "-" for entry in self.config.variants.values()}
            words += [self.config.backbone, ", ".join(sorted(recipes))]
        for variant, scores in self.metrics.variants.items():
            known = {name: score for name in COMPARED if (score := getattr(scores, name)) is not None}
            words.append(f"{variant}: " + ", ".join(f"{name.upper()} {score:.4f}" for name, score in known.items()))
        return printable("  ".join(words))


def log(repo_id: str, token: str | None = None) -> list[Release]:
    """The tags of a repository, the newest first.

    Raises:
        InputError: malformed id; HubError, its subclass: no such repository, no access, or no Hub.
    """
    repo_id, _ = parse_id(repo_id)
    try:
        with deadline():
            return list(releases(HfApi(token=token), repo_id))
    except FAILURES as error:
        raise explain(error, repo_id) from error


def releases(api: HfApi, repo_id: str) -> Iterator[Release]:
    """As `log`, each when it is asked for."""
    tags = retry_once(lambda: api.list_repo_refs(repo_id)).tags
    if not tags:
        return
    dates = {commit.commit_id: commit.created_at for commit in retry_once(lambda: api.list_repo_commits(repo_id))}
    ours = [tag for tag in tags if tag.target_commit in dates]
    for tag in sorted(ours, key=lambda tag: (dates[tag.target_commit], tag.name), reverse=True):
        commit = tag.target_commit
        try:
            config = Config.from_json(_json(api, repo_id, CONFIG_FILE, commit), CONFIG_FILE)
        except InputError:
            config = None
        metrics = Metrics.from_json(_json(api, repo_id, METRICS_FILE, commit))
        yield Release(tag.name, commit, dates[commit], config, metrics)


def read_remote(api: HfApi, repo_id: str, name: str, revision: str = "main") -> bytes | None:
    """A small file of a repository; None where there is none."""
    with tempfile.TemporaryDirectory() as scratch:
        # Into a folder of its own: whole downloads alone move the cache's branches.
        def download() -> str:
            return api.hf_hub_download(repo_id, name, revision=revision, local_dir=scratch, force_download=True)

        try:
            return Path(retry_once(download)).read_bytes()
        except EntryNotFoundError:
            return None


def _json(api: HfApi, repo_id: str, name: str, commit: str) -> object:
    try:
        return json.loads(read_remote(api, repo_id, name, commit) or b"null")
    except (ValueError, RecursionError):
        return None
