"""Models are found, named, loaded once on demand, and unloaded when they exceed the limit of memory."""

import json
import shutil
import time
import weakref

import pytest
from conftest import draw_portrait, write_repository
from PIL import Image

from hairseg.errors import InputError
from hairseg.hub import resolve as resolution
from hairseg.hub.errors import HubError
from hairseg.hub.resolve import ResolvedRepo, default_repos
from hairseg.inference.predictor import HairPredictor
from hairseg.page.app import build_page
from hairseg.page.registry import ModelRegistry, ServedModel, find_models
from hairseg.page.store import PhotoStore
from hairseg.repository import BUNDLED

NAMES = ("ada", "bob", "eve")


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> list[ServedModel]:
    """Three models whose masks differ for every photo."""
    root = tmp_path_factory.mktemp("models")
    return [
        ServedModel(name, ResolvedRepo(write_repository(root / name, seed=seed))) for seed, name in enumerate(NAMES)
    ]


class Networks:
    """Stands in for loaded networks that are not run."""

    def __init__(self, name):
        self.name = name


class Loader:
    """Returns `Networks`, and records which were loaded and are still referenced."""

    def __init__(self):
        self.loads, self.alive = [], weakref.WeakValueDictionary()

    def __call__(self, model):
        self.loads.append(model.name)
        self.alive[model.name] = networks = Networks(model.name)
        return networks


def megabytes(model) -> float:
    return model.weight_bytes / 1e6


def test_the_weight_is_the_size_of_both_files(listed):
    files = [listed[0].repository.folder / variant / "model.safetensors" for variant in ("pretrained", "random")]
    assert listed[0].weight_bytes == sum(len(file.read_bytes()) for file in files) > 20e6


def test_models_are_loaded_on_demand_and_the_first_is_the_default(listed):
    load = Loader()
    models = ModelRegistry(listed, load)
    assert models.names == list(NAMES) and load.loads == []
    assert models.predictor().name == models.predictor(None).name == models.predictor("ada").name == "ada"
    assert models.predictor("eve").name == "eve" and load.loads == ["ada", "eve"]


@pytest.mark.parametrize("name", ["", "mallory", "../ada", ["ada"], {"name": "ada"}, 0, True, float("nan"), "x" * 9999])
def test_unknown_models_are_refused(listed, name):
    with pytest.raises(InputError, match=r"is not a model of this page. Choose one of ada, bob, eve\.$") as caught:
        ModelRegistry(listed, Loader()).predictor(name)
    assert len(str(caught.value)) < 200


def test_the_least_recently_used_model_is_unloaded(listed):
    load = Loader()
    models = ModelRegistry(listed, load, max_megabytes=2.5 * megabytes(listed[0]))
    for name in ("ada", "bob", "ada"):
        models.predictor(name)
    models.predictor("eve")
    assert set(load.alive) == {"ada", "eve"}
    models.predictor("ada")
    models.predictor("bob")
    assert set(load.alive) == {"ada", "bob"} and load.loads == ["ada", "bob", "eve", "bob"]


def test_a_model_larger_than_the_limit_is_kept_alone(listed):
    load = Loader()
    models = ModelRegistry(listed, load, max_megabytes=1)
    for name in (*NAMES, *NAMES):
        models.predictor(name)
        models.predictor(name)
        assert set(load.alive) == {name}
    assert load.loads == [*NAMES, *NAMES]


def test_a_failed_load_is_retried_and_affects_no_other_model(listed, capsys, tmp_path):
    folder = write_repository(tmp_path / "secret-place")
    weights = (folder / "random" / "model.safetensors").read_bytes()
    (folder / "random" / "model.safetensors").write_bytes(weights[:1000])
    models = ModelRegistry(
        [*listed, ServedModel("cut", ResolvedRepo(folder))], lambda model: HairPredictor(model.repository.folder)
    )
    Image.fromarray(draw_portrait(1)[0]).save(tmp_path / "selfie.png")
    store = PhotoStore(models)
    with pytest.raises(InputError, match=r"The model cut cannot be loaded\. Choose another") as caught:
        store.photo(str(tmp_path / "selfie.png"), "cut")
    assert str(tmp_path) not in str(caught.value) and str(folder) in capsys.readouterr().err
    (folder / "random" / "model.safetensors").write_bytes(weights)
    photo = str(tmp_path / "selfie.png")
    assert store.photo(photo, "cut").alpha("random").shape == store.photo(photo).alpha("random").shape


def test_cached_photos_do_not_keep_networks_alive(listed, tmp_path):
    """Guards against a cached photo that references the networks of an unloaded model."""
    Image.fromarray(draw_portrait(1)[0]).save(tmp_path / "selfie.png")
    alive = weakref.WeakSet()

    def load(model):
        predictor = HairPredictor(model.repository.folder)
        alive.add(predictor)
        return predictor

    store = PhotoStore(ModelRegistry(listed, load, max_megabytes=1))
    photo = store.photo(str(tmp_path / "selfie.png"), "ada")
    store.photo(str(tmp_path / "selfie.png"), "bob").alpha("random")
    assert photo.alpha("random").shape == photo.alpha("pretrained").shape
    until = time.monotonic() + 10
    while len(alive) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    assert [predictor.folder.name for predictor in alive] == ["bob"]


REASON = "the Hub did not answer in time"


@pytest.fixture
def hub(monkeypatch):
    """A Hub with the bundled model as ada/hair, no response for ada/silent, and a cached copy of ada/cached."""
    resolve_folder = resolution.resolve

    def resolve(repo):
        repo_id = repo.partition("@")[0]
        if repo_id == "ada/silent":
            raise HubError(f"{repo} is not in the cache, and {REASON}.", "Try again later.", is_unavailable=True)
        if repo_id in ("ada/hair", "ada/cached"):
            return ResolvedRepo(BUNDLED, repo_id, "0123456789" * 4, REASON if repo_id == "ada/cached" else None)
        return resolve_folder(repo)

    monkeypatch.setattr("hairseg.hub.resolve.resolve", resolve)


def shown(listed, notices) -> str:
    return json.dumps(
        build_page(ModelRegistry(listed, load=lambda model: None), notices).get_config_file(), default=str
    )


def test_the_bundled_model_is_the_default(monkeypatch):
    monkeypatch.delenv("HAIRSEG_REPO", raising=False)
    (model,), notices = find_models()
    assert (model.name, model.source, model.repository.folder, notices) == ("bundled", None, BUNDLED, [])


def test_the_bundled_model_replaces_one_that_the_hub_does_not_deliver(hub):
    (model,), (notice,) = find_models(["ada/silent"])
    assert model.source is None
    assert notice.startswith("The bundled model is served instead of ada/silent: ada/silent is not in the cache")
    assert notice in shown([model], [notice])


def test_a_cached_copy_is_named_with_its_revision(hub):
    (model,), (notice,) = find_models(["ada/cached"])
    assert notice == f"The model is a cached copy of ada/cached, because {REASON}."
    assert (
        notice in shown([model], [notice]) and "ada/cached at 0123456" in str(model) and model.source.url in str(model)
    )


def test_models_that_fail_are_named_and_left_out(hub, tmp_path):
    write_repository(tmp_path / "good")
    write_repository(tmp_path / "half", ("pretrained",))
    shutil.copytree(tmp_path / "good", tmp_path / "cut")
    (tmp_path / "cut" / "config.json").write_text("{")
    broken = [
        str(tmp_path / name) for name in ("half", "cut", f"{'deep' * 20}/missing")
    ]  # longer than a quoted value in a message
    listed, notices = find_models([str(tmp_path / "good"), *broken, "ada/silent", "ada/hair@v2"])
    assert [model.name for model in listed] == ["good", "ada/hair@v2"]
    assert [notice.partition(": ")[0] for notice in notices] == [
        f"The model {name} is not served" for name in ("half", "cut", "missing", "ada/silent")
    ]
    assert "half has no 'random' variant" in notices[0]
    assert str(tmp_path)[:20] not in "".join(notices) and notices[0] in shown(listed, notices)


def test_the_first_model_must_be_complete(hub, tmp_path):
    write_repository(tmp_path / "cut")
    (tmp_path / "cut" / "random" / "model.safetensors").unlink()
    for first, problem in [
        ("no/such/folder", "'no/such/folder' is neither a folder nor a Hub id"),
        (str(tmp_path), "config.json is missing"),
        (str(tmp_path / "cut"), "model.safetensors is missing"),
    ]:
        with pytest.raises(InputError, match=problem):
            find_models([first, "ada/hair"])


def test_names_are_the_shortest_unique_ends_of_paths(hub, tmp_path, monkeypatch):
    for name in ("a/best", "b/best", "b/other"):
        write_repository(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert [model.name for model in find_models(["b/other", "a/best", f"{tmp_path}/b/../a/best"])[0]] == [
        "other",
        "best",
    ]
    listed, _ = find_models(["b/best", "a/best", "ada/silent", "ada/hair", "ada/hair@v1"])
    assert [model.name for model in listed] == ["b/best", "a/best", "ada/hair", "ada/hair@v1"]
    assert [model.repository.folder.name for model in listed[:2]] == ["best", "best"]


def test_the_environment_variable_holds_several_models(tmp_path, monkeypatch):
    (tmp_path / "my models").mkdir()
    for value, repos in {
        "ada/hair": ["ada/hair"],
        " ada/hair@v1  runs/x ": ["ada/hair@v1", "runs/x"],
        "'my models' ada/hair": ["my models", "ada/hair"],
        f"{tmp_path}/my models": [f"{tmp_path}/my models"],
        "": [str(BUNDLED)],
    }.items():
        monkeypatch.setenv("HAIRSEG_REPO", value)
        assert default_repos() == repos
    monkeypatch.setenv("HAIRSEG_REPO", "'my models")
    with pytest.raises(InputError, match="Close every quote"):
        default_repos()
