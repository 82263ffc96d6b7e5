"""A link to the page previews as the page."""

import re
import urllib.request
from concurrent.futures import Future

import pytest
from conftest import served

from hairseg.page.layout import build_page
from hairseg.page.models import Model, Models
from hairseg.page.preview import DESCRIPTION, TITLE
from hairseg.page.style import look


@pytest.fixture(scope="module")
def address():
    with served(build_page(Models([Model("bundled")], load=lambda model: Future().result())), **look()) as url:
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


def test_a_messenger_reads_the_pages_own_title_description_and_picture(address):
    found = tags(read(address).decode())
    assert found["og:title"] == found["twitter:title"] == [TITLE]
    assert found["og:description"] == found["description"] == [DESCRIPTION]
    assert found["og:image"] == [f"{address}preview.jpg"]
    assert read(found["og:image"][0])[:3] == b"\xff\xd8\xff"
    assert read(f"{address}favicon.ico")[:4] == b"\x89PNG"


def test_the_pictures_address_is_the_one_that_the_visitor_has(address):
    proxied = tags(read(address, **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hair.example.org"}).decode())
    assert proxied["og:image"] == ["https://hair.example.org/preview.jpg"]
    strange = read(address, **{"X-Forwarded-Host": 'a"><script>alert(1)</script>'}).decode()
    assert tags(strange)["og:image"] == ["/preview.jpg"]
