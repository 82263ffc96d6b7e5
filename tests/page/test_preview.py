"""The preview of a link to the page."""

import io
import re
import urllib.request
from concurrent.futures import Future

import pytest
from conftest import served
from PIL import Image

from hairseg.page.app import build_page
from hairseg.page.preview import DESCRIPTION, PICTURE_SIZE, PICTURE_TEXT, TITLE
from hairseg.page.registry import ModelRegistry, ServedModel


@pytest.fixture(scope="module")
def address():
    with served(build_page(ModelRegistry([ServedModel("bundled")], load=lambda model: Future().result()))) as url:
        yield url


def read(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return answer.read()


def tags(html: str) -> dict[str, list[str]]:
    found = {}
    for key, content in re.findall(
        r'<meta\s+(?:property|name)="((?:og|twitter):[^"]+|description)"\s+content="([^"]*)"', html
    ):
        found.setdefault(key, []).append(content)
    return found


def test_the_preview_has_the_pages_title_description_and_picture(address):
    found = tags(read(address).decode())
    assert found["og:title"] == found["twitter:title"] == [TITLE]
    assert found["og:description"] == found["description"] == [DESCRIPTION]
    assert found["og:image"] == [f"{address}preview.jpg"]
    picture = read(found["og:image"][0])
    with Image.open(io.BytesIO(picture)) as shown:
        assert shown.format == "JPEG" and shown.size == PICTURE_SIZE
        assert found["og:image:width"] + found["og:image:height"] == [str(side) for side in shown.size]
    assert found["og:url"] == [address] and found["og:image:alt"] == [PICTURE_TEXT]
    assert read(f"{address}favicon.ico")[:4] == b"\x89PNG"


def test_the_pictures_address_is_the_one_behind_the_proxy(address):
    proxied = tags(read(address, **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hair.example.org"}).decode())
    assert proxied["og:image"] == ["https://hair.example.org/preview.jpg"]
    strange = read(address, **{"X-Forwarded-Host": 'a"><script>alert(1)</script>'}).decode()
    assert tags(strange)["og:image"] == ["/preview.jpg"]
    lists = {"X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "hair.example.org, inner"}
    assert tags(read(address, **lists).decode())["og:image"] == ["https://hair.example.org/preview.jpg"]
    assert tags(read(address, **{"X-Forwarded-Proto": "javascript"}).decode())["og:image"] == ["/preview.jpg"]
