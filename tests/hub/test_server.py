"""The stand-in itself, where the other tests do not look."""

from hub_server import HubServer
from hub_testing import REPO, WEIGHTS, contents, point_client_at, publish
from huggingface_hub import HfApi

from hairseg.hub.timeouts import http


def test_server_ranges_and_origins(server, one):
    publish(server, one)
    client = http.Client()
    large = client.get(f"{server.url}/{REPO}/resolve/main/{WEIGHTS}")
    assert large.status_code == 302 and large.headers["location"].startswith(server.storage_url)
    part = client.get(large.headers["location"], headers={"Range": "bytes=10-19"})
    weights = (one / WEIGHTS).read_bytes()
    assert part.status_code == 206 and part.content == weights[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(weights)}"
    assert client.get(large.headers["location"], headers={"Range": f"bytes={len(weights)}-"}).status_code == 416
    client.close()


def test_server_keeps_its_state(tmp_path, one, monkeypatch):
    first = HubServer(tmp_path / "hub")
    with first:
        publish(first, one)
    with HubServer(tmp_path / "hub") as second:
        point_client_at(second.url, tmp_path, monkeypatch)
        assert second.files(REPO) == contents(one)
        api = HfApi()
        api.create_tag(REPO, tag="v1", revision="main")
        assert [tag.name for tag in api.list_repo_refs(REPO).tags] == ["v1"]
