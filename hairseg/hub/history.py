"""The tags of a repository on the Hub, with recipes and scores, and the comparison of scores before a push."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError

from hairseg.errors import InputError, printable
from hairseg.hub.errors import retry_once, stop_when_silent, translate_errors
from hairseg.hub.resolve import parse_repo_id
from hairseg.repository.config import Config
from hairseg.repository.metrics import COMPARED, Metrics
from hairseg.repository.repository import CONFIG_FILE, METRICS_FILE, ModelRepository


@dataclass(frozen=True)
class Release:
    """A tag of a repository.

    Attributes:
        tag: its name.
        commit: the commit that it refers to.
        date: when the commit was made.
        config: config.json, or None if this version cannot read it.
        metrics: metrics.json, empty if it cannot be read.
    """

    tag: str
    commit: str
    date: datetime
    config: Config | None
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
    """List the tags of a repository, the newest first.

    Args:
        repo_id: "user/name".
        token: a Hub token; by default that of `hf auth login` or HF_TOKEN.

    Raises:
        InputError: the id is malformed.
        HubError: there is no such repository, access is denied, or the Hub is unavailable.
    """
    repo_id, _ = parse_repo_id(repo_id)
    found: list[Release] = []

    def collect(report_progress: Callable[[], None]) -> None:
        for release in releases(HfApi(token=token), repo_id):
            found.append(release)
            report_progress()

    with translate_errors(repo_id):
        stop_when_silent(collect)
    return found


def releases(api: HfApi, repo_id: str) -> Iterator[Release]:
    """Yield what `log` lists, each release requested when it is consumed."""
    tags = retry_once(api.list_repo_refs, repo_id).tags
    if not tags:
        return
    dates = {commit.commit_id: commit.created_at for commit in retry_once(api.list_repo_commits, repo_id)}
    tags_on_main = [tag for tag in tags if tag.target_commit in dates]
    for tag in sorted(tags_on_main, key=lambda tag: (dates[tag.target_commit], tag.name), reverse=True):
        commit = tag.target_commit
        folder, config, metrics = None, None, Metrics()
        for name in (CONFIG_FILE, METRICS_FILE):
            with suppress(EntryNotFoundError):
                folder = Path(retry_once(api.hf_hub_download, repo_id, name, revision=commit)).parent
        if folder:
            repository = ModelRepository(folder)
            with suppress(InputError):
                config = repository.config
            with suppress(InputError):
                metrics = repository.metrics()
        yield Release(tag.name, commit, dates[commit], config, metrics)
