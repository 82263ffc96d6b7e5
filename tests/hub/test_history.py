"""The tags of a repository, and pushes that score worse than the last of them."""

import json
import shutil

import pytest
from hub_testing import METRICS, REPO, fails, publish

from hairseg.hub import publish as publishing
from hairseg.hub.errors import HubError
from hairseg.hub.history import log
from hairseg.hub.publish import push
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import Metrics


@pytest.fixture
def mine(one, tmp_path):
    """A repository that a test may change."""
    return ModelRepository(shutil.copytree(one, tmp_path / "mine"))


@pytest.fixture
def tags(monkeypatch):
    """Tags by number: pushes of one second would share theirs."""
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


def test_every_push_is_listed_with_recipe_and_scores(server, mine, tags):
    mine.save_metrics(with_scores(f1=0.91234))
    first = push(mine.folder, REPO)
    mine.save_metrics(with_scores(f1=0.92346))
    second = push(mine.folder, REPO)
    newest, oldest = log(REPO)
    assert (
        (newest.tag, newest.commit)
        == (second.tag, second.commit)
        == ("2026-01-02", server.repo(REPO).commit_of("main"))
    )
    assert (oldest.tag, oldest.commit) == (first.tag, first.commit)
    assert newest.date > oldest.date and newest.config == mine.config
    assert str(newest).endswith("efficientnet_lite0  paper  pretrained: AUROC 0.9874, F1 0.9235")
    assert str(oldest).startswith("2026-01-01  2023-11-14  ") and "F1 0.9123" in str(oldest)


def test_a_worse_push_says_so_before_anything_is_sent(server, mine, tags):
    push(mine.folder, REPO)
    before = server.repo(REPO)
    mine.save_metrics(with_scores(f1=0.9, auroc=0.98))
    server.requests.clear()
    failure = fails(
        lambda: push(mine.folder, REPO),
        f"scores worse than {REPO}@2026-01-01",
        "AUROC of pretrained is 0.9800, not 0.9874",
        "F1 of pretrained is 0.9000, not 0.9123",
        f"add --anyway to push it all the same; {mine.folder} is kept",
    )
    assert failure.expected == "scores at least as good on the same data"
    assert server.repo(REPO) == before and not any("/commit/" in request for request in server.requests)
    push(mine.folder, REPO, allow_regression=True)
    assert json.loads(server.files(REPO)["metrics.json"])["variants"]["pretrained"]["f1"] == 0.9
    push(mine.folder, REPO)  # as good as what was tagged last


@pytest.mark.parametrize("change", [{"split": "val"}, {"dataset": "figaro1k"}, {"images": 204}, {"image_size": 96}])
def test_scores_on_other_data_are_not_compared(server, mine, tags, change):
    push(mine.folder, REPO)
    mine.save_metrics(with_scores(change, f1=0.1))
    push(mine.folder, REPO)
    assert len(log(REPO)) == 2


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"variants": 3}', b'{"variants": {"random": {"f1": "high"}}}', None]
)
def test_metrics_that_cannot_be_read_are_no_hindrance(server, mine, tags, content):
    publish(server, mine.folder)
    server.put(REPO, {"metrics.json": content, "config.json": b"[" * 100_000})
    repo = server.repo(REPO)
    repo.tags["v1"] = repo.branches["main"]
    server.save(repo)
    (release,) = log(REPO)
    assert (
        release.tag == "v1"
        and release.config is None
        and str(release) == "v1  2023-11-14" + "  random: " * (b"high" in (content or b""))
    )
    push(mine.folder, REPO)


def test_no_such_repository_and_no_hub(server):
    fails(lambda: log("ada/nothing"), "has no repository ada/nothing", error=HubError)
    fails(lambda: log("nothing"), "'nothing'")
    server.__exit__()
    fails(lambda: log(REPO), "cannot be reached", error=HubError)
