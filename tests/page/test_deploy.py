"""The page behind proxies, below paths, and with the environment variables of containers and companies."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from browser.conftest import CHROMIUM, QUIET
from conftest import PROJECT, draw_portrait, run_python, served
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import sync_playwright

from hairseg.errors import InputError
from hairseg.page.app import build_page
from hairseg.page.launch import exempt_loopback_from_proxies, parse_root_path
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.security import with_root_path

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

CADDY = shutil.which("caddy")

# In CI on Linux, where .ci/run installs Caddy, a missing Caddy fails the tests.
NEEDS_CADDY = pytest.mark.skipif(
    CADDY is None and not (os.environ.get("CI") and sys.platform == "linux"), reason="Caddy is not installed"
)

DEPLOY_PAGE = PROJECT / "docs" / "deploy.md"

CONTAINER_VARIABLES = (
    "GRADIO_SERVER_NAME",
    "GRADIO_SERVER_PORT",
    "GRADIO_NUM_PORTS",
    "GRADIO_NUM_WORKERS",
    "GRADIO_ROOT_PATH",
    "GRADIO_TEMP_DIR",
    "GRADIO_ALLOWED_PATHS",
    "HAIRSEG_AUTH",
    "HAIRSEG_CACHE",
    "HAIRSEG_MEMORY",
    "HAIRSEG_REPO",
)

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def find_free_port(host: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as free:
        return free.getsockname()[1]


def fetch(url: str, **headers: str) -> tuple[int, str]:
    """Return the status and the text of an answer, without a proxy."""
    try:
        with DIRECT.open(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


@contextlib.contextmanager
def running_page(tmp_path: Path, *options: str, host: str = "127.0.0.1", **environment: str) -> Iterator[tuple]:
    """Run `python app.py`; yield its address and the file of its log."""
    port, log = find_free_port(host), tmp_path / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), *options],
            cwd=PROJECT,
            env=os.environ | {"TMPDIR": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    until = time.monotonic() + 600
    try:
        while True:
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            with contextlib.suppress(OSError):
                # the page ends within this time if its request to itself fails
                if fetch(f"{url}config")[0] == 200 and "Running on" in log.read_text():
                    break
            time.sleep(0.1)
        time.sleep(1)
        assert process.poll() is None, log.read_text()
        yield url, log
    finally:
        process.terminate()
        process.wait(timeout=300)
    assert "Traceback" not in log.read_text()


@contextlib.contextmanager
def served_below(root_path: str) -> Iterator[str]:
    registry = ModelRegistry([ServedModel("bundled")], load=lambda model: Future().result())
    with served(build_page(registry), root_path=parse_root_path(root_path)) as url:
        yield url.rstrip("/")


# ---- sub-paths ----


@pytest.mark.parametrize("root_path", ["/config", "/gradio_api", "/", "/hair/", "/user/ada%40example.org/7860"])
def test_the_page_works_below_a_path_whether_or_not_the_proxy_removes_it(root_path):
    prefix = root_path.rstrip("/")
    with served_below(root_path) as url:
        for below in ("", prefix):
            status, page = fetch(f"{url}{below}/")
            assert status == 200 and f'"root":"{url}{prefix}"' in page.replace("\\/", "/")
            assert f'content="{url}{prefix}/preview.jpg"' in page and f'content="{url}{prefix}/"' in page
            assert fetch(f"{url}{below}/gradio_api/info")[0] == 200
            assert fetch(f"{url}{below}/preview.jpg")[0] == 200
            assert fetch(f"{url}{below}/no-such-address")[0] == 404
        assert json.loads(fetch(f"{url}/config")[1])["root"] == f"{url}{prefix}"
        script = re.search(r"(modules/[\da-f]+/tabs\.js)", page)
        assert script and fetch(f"{url}{prefix}/{script[1]}")[0] == 200
        if prefix:
            assert fetch(f"{url}{prefix}x/gradio_api/info")[0] == 404


@pytest.mark.parametrize("root_path", ["https://example.org", "http://[::1]:8080/a/b/"])
def test_a_full_url_is_a_root_path(root_path):
    public, path = root_path.rstrip("/"), urlsplit(root_path).path.rstrip("/")
    with served_below(root_path) as url:
        for below in ("", path):
            status, page = fetch(f"{url}{below}/", **{"X-Forwarded-Host": "inner", "X-Forwarded-Proto": "http"})
            assert status == 200
            assert f'property="og:image" content="{public}/preview.jpg"' in page
            assert f'property="og:url" content="{public}/"' in page
            assert json.loads(fetch(f"{url}{below}/config")[1])["root"] == public


def test_a_path_with_two_meanings_is_one_whose_root_path_was_removed():
    for path, below in {
        "/config": "/config/config",
        "/config/": "/config/",
        "/config/config": "/config/config",
    }.items():
        assert with_root_path({"path": path, "root_path": "/config"})["path"] == below


@pytest.mark.parametrize(
    "root_path", ["hair", "//x", "http://", "ftp://a.org/x", "/my hair", "/a//b", "/a/../b", "/a?b", "/a\nb", "/ü"]
)
def test_a_malformed_root_path_is_refused(root_path):
    with pytest.raises(InputError, match=r"^GRADIO_ROOT_PATH is '.*'\. Give a path such as /hair, or a URL such as"):
        parse_root_path(root_path)


# ---- the environment ----


def test_the_page_starts_with_blank_variables_unusable_proxies_in_a_space_and_on_ipv6(tmp_path):
    try:
        find_free_port(host := "::1")
    except OSError:
        host = "127.0.0.1"
    variables = dict(zip(CONTAINER_VARIABLES, cycle(["", " "]), strict=False))
    variables |= {
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "127.0.0.1:9",
        "HTTPS_PROXY": "socks4://127.0.0.1:9",
    }
    variables |= {
        "all_proxy": "socks5h://127.0.0.1:9",
        "ALL_PROXY": "nonsense://",
        "no_proxy": "",
        "NO_PROXY": ".internal",
    }
    variables |= {"SYSTEM": "spaces", "SPACE_ID": "ada/hair", "SPACE_HOST": "ada-hair.hf.space"}
    with running_page(tmp_path, host=host, **{**variables, "GRADIO_SERVER_NAME": host}) as (url, log):
        assert f'content="{url}preview.jpg"' in fetch(url)[1]
        assert fetch(f"{url}gradio_api/file={PROJECT}/pyproject.toml")[0] == 403  # the current folder is not allowed
        assert "spaces" not in log.read_text()


@pytest.mark.parametrize(
    "variable, proxy, reason",
    [
        ("https_proxy", "http://127.0.0.1:9", "The connection to https://huggingface.co failed ("),  # the proxy's
        ("ALL_PROXY", "socks5h://127.0.0.1:9", "The proxy cannot be used."),
    ],
)
def test_the_hub_is_asked_through_the_proxy(tmp_path, monkeypatch, variable, proxy, reason):
    if proxy.startswith("socks5h") and find_spec("socksio"):
        pytest.skip("socksio is installed")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    offline = {"HF_ENDPOINT": "https://huggingface.co", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hub")}
    for name, value in {variable: proxy, **offline}.items():
        monkeypatch.setenv(name, value)
    found = run_python("-c", "from hairseg.page.registry import find_models; print(*find_models(['ada/hair'])[1])")
    assert f"The bundled model is served instead of ada/hair: {reason}" in found.stdout


def test_loopback_is_exempt_from_proxies_and_the_hub_is_not(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("https_proxy", "http://proxy.internal:3128")
    monkeypatch.setenv("NO_PROXY", "intra.example.org")
    exempt_loopback_from_proxies("[fd00::7]")
    exempt = "intra.example.org,localhost,127.0.0.1,::1,fd00::7"
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == exempt
    assert urllib.request.proxy_bypass_environment("127.0.0.1")
    assert not urllib.request.proxy_bypass_environment("huggingface.co")
    monkeypatch.setenv("no_proxy", "*")
    exempt_loopback_from_proxies("127.0.0.1")
    assert os.environ["no_proxy"] == "*"


def test_the_proxies_of_macos_and_windows_are_used_except_for_loopback(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    system = {"http": "http://proxy.internal:3128", "https": "http://proxy.internal:3128", "ftp": "ftp://127.0.0.1:9"}
    monkeypatch.setattr("hairseg.page.launch.getproxies", dict)
    exempt_loopback_from_proxies("127.0.0.1")
    assert not urllib.request.getproxies_environment()
    monkeypatch.setattr("hairseg.page.launch.getproxies", lambda: system)
    exempt_loopback_from_proxies("127.0.0.1")
    proxies = httpx.Client()._mounts  # by the pattern of the addresses; None is no proxy
    patterns = {pattern.pattern: transport is not None for pattern, transport in proxies.items()}
    assert patterns == {
        "http://": True,
        "https://": True,
        **dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"), False),
    }


# ---- nginx and Caddy ----


@contextlib.contextmanager
def nginx_before(page: str, folder: Path) -> Iterator[str]:
    """Run nginx with the documented `location`; yield the address below which it serves the page."""
    location = re.search(r"```nginx\n(.*?)```", DEPLOY_PAGE.read_text(), re.DOTALL)
    assert location and "http://127.0.0.1:7860/" in location[1]
    port = find_free_port()
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\nserver {{ listen 127.0.0.1:{port};\n"
        f"{location[1].replace('http://127.0.0.1:7860/', page)}}} }}\n"
    )
    command = [str(NGINX), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]
    with running_proxy(command, port, folder):
        yield f"http://127.0.0.1:{port}/hair/"


@contextlib.contextmanager
def caddy_before(page: str, folder: Path) -> Iterator[str]:
    """Run Caddy with the documented site, over http; yield the address below which it serves the page."""
    site = re.search(
        r"^## Behind Caddy\n.*?```\n(example\.org \{.*?)```", DEPLOY_PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    assert site and "127.0.0.1:7860" in site[1]
    port = find_free_port()
    content = (
        site[1].replace("example.org", f"http://127.0.0.1:{port}").replace("127.0.0.1:7860", urlsplit(page).netloc)
    )
    (folder / "Caddyfile").write_text(f"{{\nadmin off\nauto_https off\n}}\n{content}")
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with running_proxy(command, port, folder):
        yield f"http://127.0.0.1:{port}/hair/"


@contextlib.contextmanager
def running_proxy(
    command: list[str], port: int, folder: Path, environment: Mapping[str, str] = os.environ
) -> Iterator[None]:
    log = folder / "proxy.txt"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**environment, "HOME": str(folder)})
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def page_below_hair(tmp_path_factory):
    with running_page(tmp_path_factory.mktemp("page"), GRADIO_ROOT_PATH="/hair") as started:
        yield started


@pytest.mark.parametrize(
    "proxy_before",
    [
        pytest.param(nginx_before, marks=pytest.mark.skipif(NGINX is None, reason="nginx is not installed")),
        pytest.param(caddy_before, marks=NEEDS_CADDY),
    ],
)
def test_the_documented_proxies_serve_the_page(page_below_hair, tmp_path, proxy_before):
    page, log = page_below_hair
    photo = tmp_path / "selfie.png"
    Image.fromarray(draw_portrait(1, 1200)[0]).save(photo, compress_level=0)
    assert photo.stat().st_size > 2**20  # the default limit of nginx
    with proxy_before(page, tmp_path) as address:
        client = Client(
            address, verbose=False, httpx_kwargs={"timeout": 600}, download_files=str(tmp_path / "downloads")
        )
        masks = client.predict(handle_file(photo), api_name="/segment")
        for mask in masks[:2]:
            with Image.open(mask) as opened:
                assert opened.size == (1200, 1200)
        for url in (address, address.rstrip("/")):
            assert f'content="{address}preview.jpg"' in fetch(url)[1]
        if CHROMIUM:
            open_in_chromium(address)
        assert "note:" not in log.read_text()


def open_in_chromium(address: str) -> None:
    """Open the page, and start its camera; fail on any request that fails or leaves the sub-path."""
    failed: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            page = browser.new_page()
            page.on("pageerror", lambda error: failed.append(str(error)))
            page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
            page.on(
                "request",
                lambda request: (
                    failed.append(request.url)
                    if request.url.startswith("http://127.0.0.1") and not request.url.startswith(address)
                    else None
                ),
            )
            page.goto(address)
            page.get_by_role("tab", name="What pretraining is worth").wait_for(timeout=60_000)
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.querySelectorAll('#tabs button[role=tab]').length") == 5
            page.get_by_role("tab", name="Live").click()
            page.wait_for_function(
                """() => {
                    const button = document.querySelector("#live .switch");
                    const image = document.querySelector("#live .picture img");
                    if (button.textContent === "Start the camera") button.click(); // also after a slow frame
                    window.shown ??= new Set();
                    return image && shown.add(image.src).size > 1;
                }""",
                polling=500,
                timeout=120_000,
            )
        finally:
            browser.close()
    assert not failed


# ---- two replicas behind the Caddyfile ----


class Replica(BaseHTTPRequestHandler):
    """A fake page that responds with its name, the size of an upload, and its health."""

    name, is_ready = "", True

    def do_GET(self) -> None:
        self.answer(200 if self.path != "/health" or self.is_ready else 503, self.name)

    def do_POST(self) -> None:
        self.answer(200, f"{self.name} {len(self.rfile.read(int(self.headers['content-length'])))}")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def replicas() -> Iterator[dict[str, ThreadingHTTPServer]]:
    servers = {}
    for name in ("one", "two"):
        handler = type(name, (Replica,), {"name": name})
        servers[name] = server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield servers
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def caddyfile_before(servers: dict[str, ThreadingHTTPServer], folder: Path) -> Iterator[str]:
    """Run Caddy with the project's Caddyfile, over http and with a shorter wait; yield its address."""
    port, content = find_free_port(), (PROJECT / "Caddyfile").read_text()
    assert content.count("lb_try_duration 10s") == 1
    (folder / "Caddyfile").write_text(content.replace("lb_try_duration 10s", "lb_try_duration 1s"))
    environment = os.environ | {
        "HAIRSEG_SITE": f"http://127.0.0.1:{port}",
        "HAIRSEG_REPLICAS": " ".join(f"127.0.0.1:{server.server_port}" for server in servers.values()),
    }
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with running_proxy(command, port, folder, environment):
        yield f"http://127.0.0.1:{port}/"


def new_visitor() -> Callable[..., tuple[int, str]]:
    """Return a function that requests an address with its own cookies."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )

    def visit(address: str, content: bytes | None = None) -> tuple[int, str]:
        try:
            with opener.open(address, content) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return visit


def wait_until(is_true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.1)


@NEEDS_CADDY
def test_sessions_are_sticky_and_fail_over_to_the_other_replica(tmp_path):
    with replicas() as servers, caddyfile_before(servers, tmp_path) as address:
        visits = {}
        while len(visits) < 2:  # Caddy chooses at random
            visit = new_visitor()
            visits.setdefault(visit(address)[1], visit)
        for name, visit in visits.items():
            assert [visit(address) for _ in range(5)] == [(200, name)] * 5
            assert visit(f"{address}upload", b"x" * 1_000_000) == (200, f"{name} 1000000")

        servers["one"].shutdown()
        servers["one"].server_close()
        assert visits["one"](address) == (200, "two"), "requests that the replica has not received are retried"
        assert visits["one"](f"{address}upload", b"x") == (200, "two 1")
        assert [visit(address) for visit in visits.values()] == [(200, "two")] * 2

        servers["two"].RequestHandlerClass.is_ready = False  # pyright: ignore[reportAttributeAccessIssue]
        wait_until(lambda: visits["two"](f"{address}")[0] == 503)
        assert visits["one"](address) == (
            503,
            "The page cannot be reached at the moment. Try again in a minute.",
        )


@NEEDS_CADDY
def test_a_replica_that_is_not_ready_gets_no_visitors(tmp_path):
    with replicas() as servers:
        handler: Any = servers["one"].RequestHandlerClass
        handler.is_ready = False
        with caddyfile_before(servers, tmp_path) as address:
            wait_until(lambda: {new_visitor()(address)[1] for _ in range(8)} == {"two"})
            handler.is_ready = True
            wait_until(lambda: {new_visitor()(address)[1] for _ in range(8)} == {"one", "two"})


# ---- the image and compose.yaml ----


def test_the_build_context_has_only_the_files_of_the_package():
    """The Dockerfile copies the same files that .dockerignore includes."""
    dockerfile = (PROJECT / "Dockerfile").read_text()
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE) for name in line.split()[:-1]
    ]
    allowed = re.findall(r"^!(.+)$", (PROJECT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied) == sorted(allowed) == ["LICENSE", "README.md", "hairseg", "model_card.md", "pyproject.toml"]
    assert all((PROJECT / name).exists() for name in copied)
    assert "\nUSER 1000\n" in dockerfile


def test_the_health_check_of_the_image_returns_the_page_s_health(tmp_path):
    """Run the command of HEALTHCHECK against a fake page: exit code 0 means healthy, 1 unhealthy."""
    found = re.search(r"^HEALTHCHECK .*? CMD (\[.*\])$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert found
    _, *words = json.loads(found[1])
    with replicas() as servers:
        environment = os.environ | {
            "GRADIO_SERVER_PORT": str(servers["one"].server_port),
            "http_proxy": "http://127.0.0.1:9",
        }

        def check() -> int:
            return subprocess.run([sys.executable, *words], env=environment, capture_output=True).returncode

        assert check() == 0
        servers["one"].RequestHandlerClass.is_ready = False  # pyright: ignore[reportAttributeAccessIssue]
        assert check() == 1


def test_compose_runs_two_hardened_replicas_behind_caddy():
    compose = yaml.safe_load((PROJECT / "compose.yaml").read_text())
    services, caddyfile = compose["services"], (PROJECT / "Caddyfile").read_text()
    assert services["page-1"] == services["page-2"]
    assert "{$HAIRSEG_REPLICAS:page-1:7860 page-2:7860}" in caddyfile
    page, caddy = services["page-1"], services["caddy"]
    assert page["read_only"] and page["cap_drop"] == ["ALL"] and page["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in page, "only Caddy is reachable from outside"
    assert page["build"]["args"].keys() == set(re.findall(r"^ARG (\w+)", (PROJECT / "Dockerfile").read_text(), re.M))
    assert "./Caddyfile:/etc/caddy/Caddyfile:ro" in caddy["volumes"]
    assert caddy["environment"].keys() == {"HAIRSEG_SITE"}
    assert {mount.partition(":")[0] for each in (page, caddy) for mount in each["volumes"]} - {"./Caddyfile"} == set(
        compose["volumes"]
    )


def test_the_documented_caddyfile_matches_the_project():
    found = re.search(
        r"^## Several replicas\n.*?```caddyfile\n(.*?)```", DEPLOY_PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found
    site = (PROJECT / "Caddyfile").read_text().partition("}\n\n")[2]
    assert found[1].split() == site.split()
