"""Every answer that is no success has a sentence of its own."""

from hub_testing import REPO, WEIGHTS, fails, publish
from huggingface_hub import constants

from hairseg.hub.failures import HubError
from hairseg.hub.publish import check_push
from hairseg.hub.resolution import resolve


def test_no_such_repository(server):
    fails(lambda: resolve("ada/nothing"), "has no repository ada/nothing", "check the spelling", error=HubError)


def test_no_such_repository_without_a_token(server, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    fails(lambda: resolve("ada/nothing"), "has no repository ada/nothing", "log in", error=HubError)


def test_no_such_revision(server, one):
    publish(server, one)
    fails(lambda: resolve(f"{REPO}@v9"), REPO, "no revision 'v9'", error=HubError)
    resolve(REPO)
    fails(lambda: resolve(f"{REPO}@v9"), REPO, "no revision 'v9'", error=HubError)
    fails(lambda: resolve(f"{REPO}@{'0' * 40}"), REPO, "no revision", error=HubError)


def test_invalid_token(server, one, monkeypatch):
    publish(server, one)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    fails(lambda: resolve(REPO), "does not accept your token", "hf auth login", error=HubError)
    fails(lambda: check_push(REPO), "does not accept your token", error=HubError)


def test_file_gone_between_listing_and_download(server, one):
    publish(server, one)
    server.faults.add("status", status=404, code="EntryNotFound", path=f"/{WEIGHTS}", method="HEAD")
    fails(lambda: resolve(REPO), f"{REPO} has no file {WEIGHTS} at main", error=HubError)


def test_an_unusable_cache_is_named(server, one, monkeypatch, tmp_path):
    publish(server, one)
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a file"))
    fails(lambda: resolve(REPO), "a file")
