"""Models are loaded when they are chosen, once, and let go of when there is no room for them."""

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import draw_portrait, write_repository
from PIL import Image

from hairseg.errors import InputError
from hairseg.hub.resolve import ResolvedRepo
from hairseg.inference.predictor import HairPredictor
from hairseg.page.models import Model, Models
from hairseg.page.session import PageSession

NAMES = ("ada", "bob", "eve")


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> list[Model]:
    """Three models that see different hair in everything."""
    root = tmp_path_factory.mktemp("models")
    return [Model(name, ResolvedRepo(write_repository(root / name, seed=seed))) for seed, name in enumerate(NAMES)]


class Networks:
    """What stands for loaded networks where they need not run."""

    def __init__(self, name):
        self.name = name


class Loader:
    """Gives `Networks` and counts."""

    def __init__(self):
        self.loads, self.alive = [], weakref.WeakValueDictionary()

    def __call__(self, model):
        self.loads.append(model.name)
        self.alive[model.name] = networks = Networks(model.name)
        return networks


def megabytes(model) -> float:
    return model.weight / 1e6


def test_a_weight_is_that_of_both_files(listed):
    files = [listed[0].repository.folder / variant / "model.safetensors" for variant in ("pretrained", "random")]
    assert listed[0].weight == sum(len(file.read_bytes()) for file in files) > 20e6


def test_a_model_is_loaded_when_it_is_first_chosen_and_the_first_is_the_default(listed):
    load = Loader()
    models = Models(listed, load)
    assert models.names == list(NAMES) and load.loads == []
    assert models.predictor().name == models.predictor(None).name == models.predictor("ada").name == "ada"
    assert models.predictor("eve").name == "eve" and load.loads == ["ada", "eve"]


@pytest.mark.parametrize("name", ["", "mallory", "../ada", ["ada"], {"name": "ada"}, 0, True, float("nan"), "x" * 9999])
def test_what_the_owner_did_not_list_is_not_chosen(listed, name):
    with pytest.raises(InputError, match=r"is no model of this page: expected one of ada, bob, eve\.$") as caught:
        Models(listed, Loader()).predictor(name)
    assert len(str(caught.value)) < 200


def test_the_one_used_last_longest_ago_is_let_go(listed):
    load = Loader()
    models = Models(listed, load, memory=2.5 * megabytes(listed[0]))
    for name in ("ada", "bob", "ada"):
        models.predictor(name)
    models.predictor("eve")
    assert set(load.alive) == {"ada", "eve"}
    models.predictor("ada")
    models.predictor("bob")
    assert set(load.alive) == {"ada", "bob"} and load.loads == ["ada", "bob", "eve", "bob"]


def test_a_model_larger_than_the_memory_is_held_alone(listed):
    load = Loader()
    models = Models(listed, load, memory=1)
    for name in (*NAMES, *NAMES):
        models.predictor(name)
        models.predictor(name)
        assert set(load.alive) == {name}
    assert load.loads == [*NAMES, *NAMES]


def test_two_who_choose_the_same_at_once_load_it_once(listed):
    load, begun, ready = Loader(), threading.Event(), threading.Event()

    def slowly(model):
        begun.set()
        assert ready.wait(10)
        return load(model)

    models = Models(listed, slowly)
    with ThreadPoolExecutor(8) as visitors:
        waiting = [visitors.submit(models.predictor, "bob") for _ in range(8)]
        assert begun.wait(10)
        time.sleep(0.2)  # for the others to come, too
        ready.set()
        assert len({id(each.result()) for each in waiting}) == 1 and load.loads == ["bob"]


def test_one_that_fails_is_tried_again_and_leaves_the_others(listed, capsys, tmp_path):
    folder = write_repository(tmp_path / "secret-place")
    weights = (folder / "random" / "model.safetensors").read_bytes()
    (folder / "random" / "model.safetensors").write_bytes(weights[:1000])
    models = Models([*listed, Model("cut", ResolvedRepo(folder))], lambda model: HairPredictor(model.repository.folder))
    Image.fromarray(draw_portrait(1)[0]).save(tmp_path / "selfie.png")
    session = PageSession(models)
    with pytest.raises(InputError, match="the model cut cannot be loaded: expected another one") as caught:
        session.photo(str(tmp_path / "selfie.png"), "cut")
    assert str(tmp_path) not in str(caught.value) and str(folder) in capsys.readouterr().err
    (folder / "random" / "model.safetensors").write_bytes(weights)
    photo = str(tmp_path / "selfie.png")
    assert session.photo(photo, "cut").alpha("random").shape == session.photo(photo).alpha("random").shape


def test_measuring_finds_a_model_without_using_it(listed):
    load = Loader()
    models = Models(listed, load, memory=2.5 * megabytes(listed[0]))
    ada = models.predictor("ada")
    assert models.aside("ada") is ada
    bob = models.aside("bob")
    assert bob.name == "bob"
    del bob
    assert set(load.alive) == {"ada"}  # there was room, and it was given back
    models.predictor("eve")
    assert models.aside("bob") is None and models.aside("ada") is ada  # no room for a third one
    models.predictor("bob")
    assert set(load.alive) - {"ada"} == {"eve", "bob"}  # looking aside did not keep the oldest
    del ada
    assert set(load.alive) == {"eve", "bob"}


def test_every_photo_is_looked_at_by_the_model_that_was_chosen_whatever_is_let_go(listed, tmp_path):
    """Four visitors choose at random among three models, of which one fits into memory."""
    photos = []
    for seed in range(2):
        Image.fromarray(draw_portrait(seed)[0]).save(tmp_path / f"{seed}.png")
        photos.append(str(tmp_path / f"{seed}.png"))
    alphas = {
        (model.name, seed): HairPredictor(model.repository.folder).alphas(draw_portrait(seed)[0])
        for model in listed
        for seed in range(2)
    }
    assert not np.array_equal(alphas["ada", 0]["random"], alphas["bob", 0]["random"])
    load = Loader()

    def genuine(model):
        load(model)
        return HairPredictor(model.repository.folder)

    session = PageSession(Models(listed, genuine, memory=1))

    def visit(visitor: int) -> None:
        rng = np.random.default_rng(visitor)
        for _ in range(4):
            seed, name = int(rng.integers(2)), str(rng.choice(NAMES))
            for variant in ("random", "pretrained"):
                expected = alphas[name, seed][variant]
                np.testing.assert_array_equal(session.photo(photos[seed], name).alpha(variant), expected)
                np.testing.assert_array_equal(
                    session.full_resolution(photos[seed], variant, model=name).alpha, expected
                )

    with ThreadPoolExecutor(4) as visitors:
        for visit_ in [visitors.submit(visit, visitor) for visitor in range(4)]:
            visit_.result()
    assert set(load.loads) == set(NAMES)


def test_a_photo_keeps_no_networks(listed, tmp_path):
    """Guards memory against the photos that are remembered: each would hold a model that was let go of."""
    Image.fromarray(draw_portrait(1)[0]).save(tmp_path / "selfie.png")
    alive = weakref.WeakSet()

    def load(model):
        predictor = HairPredictor(model.repository.folder)
        alive.add(predictor)
        return predictor

    session = PageSession(Models(listed, load, memory=1))
    photo = session.photo(str(tmp_path / "selfie.png"), "ada")
    session.photo(str(tmp_path / "selfie.png"), "bob").alpha("random")
    assert photo.alpha("random").shape == photo.alpha("pretrained").shape
    until = time.monotonic() + 10
    while len(alive) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    assert [predictor.folder.name for predictor in alive] == ["bob"]
