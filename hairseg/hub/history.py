"""What has been pushed to a repository on the Hub: its tags, with recipes and scores, the newest first."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError

from hairseg.errors import InputError, printable
from hairseg.hub.errors import FAILURES, explain, retry_once
from hairseg.hub.snapshots import parse_id
from hairseg.hub.timeouts import deadline
from hairseg.repository.config import Config
from hairseg.repository.metrics import TOLERANCE
from hairseg.repository.repository import CONFIG, METRICS

SAME_DATA = ("dataset", "split", "images", "image_size")  # what must agree before two scores are compared

COMPARED = ("auroc", "f1")


@dataclass(frozen=True)
class Release:
    """A tagged state of a repository."""

    tag: str
    commit: str
    date: datetime
    config: Config | None  # None: none that this version can read
    metrics: dict = field(default_factory=dict)

    def __str__(self) -> str:
        words = [self.tag, f"{self.date:%Y-%m-%d}"]
        if self.config:
            recipes = {str(entry.get("recipe", "-")) for entry in self.config.variants.values()}
            words += [self.config.backbone, ", ".join(sorted(recipes))]
        words += [
            f"{variant}: " + ", ".join(f"{name.upper()} {scores[name]:.4f}" for name in COMPARED if name in scores)
            for variant, scores in scores_of(self.metrics).items()
        ]
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
            config = Config.from_json(_json(api, repo_id, CONFIG, commit), CONFIG)
        except InputError:
            config = None
        metrics = _json(api, repo_id, METRICS, commit)
        yield Release(tag.name, commit, dates[commit], config, metrics if isinstance(metrics, dict) else {})


def regressions(metrics: dict, former: dict) -> list[str]:
    """Where scores are worse than former ones on the same data, a clause each; none where the data differ.

    Example:
        >>> data = {"dataset": "figaro1k", "split": "test", "images": 210, "image_size": 256}
        >>> regressions(data | {"variants": {"random": {"f1": 0.8}}}, data | {"variants": {"random": {"f1": 0.9}}})
        ['F1 of random is 0.8000, not 0.9000']
    """
    if any(metrics.get(name) is None or metrics.get(name) != former.get(name) for name in SAME_DATA):
        return []
    before = scores_of(former)
    return [
        f"{name.upper()} of {variant} is {scores[name]:.4f}, not {before[variant][name]:.4f}"
        for variant, scores in scores_of(metrics).items()
        for name in COMPARED
        if name in scores and scores[name] < before.get(variant, {}).get(name, -1) - TOLERANCE
    ]


def scores_of(metrics: dict) -> dict[str, dict[str, float]]:
    """The scores of each variant that are numbers: strangers' files hold anything."""
    variants = metrics.get("variants")
    if not isinstance(variants, dict):
        return {}
    return {
        variant: {name: float(scores[name]) for name in COMPARED if isinstance(scores.get(name), float)}
        for variant, scores in variants.items()
        if isinstance(scores, dict)
    }


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
