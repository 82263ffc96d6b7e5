"""The tags of a repository, and pushes whose scores are worse than those of the last tag."""

import json
import shutil

import pytest
from hub.helpers import METRICS, REPO, assert_fails, publish

from hairseg.hub import publish as publishing
from hairseg.hub.errors import HubError
from hairseg.hub.history import log
from hairseg.hub.publish import push
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import Metrics


@pytest.fixture
def copy(one, tmp_path):
    """A repository that a test may change."""
    return ModelRepository(shutil.copytree(one, tmp_path / "copy"))


@pytest.fixture
def tags(monkeypatch):
    """Number the tags, as pushes within a second would share one."""
    numbers = iter(range(1, 10))

    class Clock:
        @staticmethod
        def now(zone):
            return Clock

        @staticmethod
        def strftime(form):
            return f"2026-01-0{next(numbers)}"

    monkeypatch.setattr(publishing, "datetime", Clock)


def with_scores(change: dict | None = None, **scores: float) -> Metrics:
    variants = {"pretrained": METRICS["variants"]["pretrained"] | scores}
    return Metrics(**METRICS | {"variants": variants} | (change or {}))


def test_every_push_is_listed_with_recipe_and_scores(server, copy, tags):
    copy.save_metrics(with_scores(f1=0.91234))
    first = push(copy.folder, REPO)
    copy.save_metrics(with_scores(f1=0.92346))
    second = push(copy.folder, REPO)
    newest, oldest = log(REPO)
    assert (newest.tag, newest.commit) == (second.tag, second.commit) == ("2026-01-02", server.repo(REPO).main)
    assert (oldest.tag, oldest.commit) == (first.tag, first.commit)
    assert newest.date > oldest.date and newest.config == copy.config
    assert str(newest).endswith("efficientnet_lite0  paper  pretrained: AUROC 0.9874, F1 0.9235")
    assert str(oldest).startswith("2026-01-01  2023-11-14  ") and "F1 0.9123" in str(oldest)


def test_worse_scores_are_not_pushed(server, copy, tags):
    push(copy.folder, REPO)
    before = server.repo(REPO)
    copy.save_metrics(with_scores(f1=0.9, auroc=0.98))
    server.requests.clear()
    assert_fails(
        lambda: push(copy.folder, REPO),
        f"scores worse than {REPO}@2026-01-01",
        "AUROC of pretrained is 0.9800, not 0.9874",
        "F1 of pretrained is 0.9000, not 0.9123",
        f"Add --allow-regression to push it anyway. Then push {copy.folder} again",
    )
    assert server.repo(REPO) == before and not any("/commit/" in request for request in server.requests)
    push(copy.folder, REPO, allow_regression=True)
    assert json.loads(server.files(REPO)["metrics.json"])["variants"]["pretrained"]["f1"] == 0.9
    push(copy.folder, REPO)  # equal scores are pushed


@pytest.mark.parametrize("change", [{"split": "val"}, {"dataset": "figaro1k"}, {"images": 204}, {"image_size": 96}])
def test_scores_on_other_data_are_not_compared(server, copy, tags, change):
    push(copy.folder, REPO)
    copy.save_metrics(with_scores(change, f1=0.1))
    push(copy.folder, REPO)
    assert len(log(REPO)) == 2


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"variants": 3}', b'{"variants": {"random": {"f1": "high"}}}', None]
)
def test_unreadable_metrics_are_ignored(server, copy, tags, content):
    publish(server, copy.folder)
    server.put(REPO, {"metrics.json": content, "config.json": b"[" * 100_000})
    repo = server.repos["models", REPO]
    repo.tags["v1"] = repo.main
    (release,) = log(REPO)
    assert release.tag == "v1" and release.config is None and str(release) == "v1  2023-11-14"
    push(copy.folder, REPO)


def test_log_of_a_missing_repository_and_without_a_hub(server):
    assert_fails(lambda: log("ada/nothing"), "has no repository ada/nothing", error=HubError)
    assert_fails(lambda: log("nothing"), "'nothing'")
    server.__exit__()
    assert_fails(lambda: log(REPO), "connection", error=HubError)
