from dataclasses import replace

from conftest import draw_celebamask_hq, draw_portrait
from PIL import Image

from hairseg.training.batches import serving_size
from hairseg.training.photos import find_photos
from hairseg.training.recipes import RECIPES


def test_test_photos_are_scored_at_the_size_that_networks_are_served_at(tmp_path):
    recipe = replace(RECIPES["paper"]["random"], image_size=64, serve_scale=0.5)
    photos = find_photos([draw_celebamask_hq(tmp_path, list(range(27636, 27660)))])
    splits, tests = photos.load(recipe, workers=1)
    assert splits["test"].photos.shape[1] == splits["val"].photos.shape[1] == splits["train"].photos.shape[1] == 64
    assert tests["celebamask-hq"].photos.shape == (len(splits["test"]), 32, 32, 3)


def test_other_photos_are_told_apart_by_folder_scene_and_hat(tmp_path):
    """Guards against going on with photos of other scenes that are called alike."""
    data = [draw_celebamask_hq(tmp_path / "celebamask-hq", list(range(27636, 27660)))]
    for folder in ("rooms", "animals", "hats"):
        (tmp_path / folder).mkdir()
        for seed in range(8):
            Image.fromarray(draw_portrait(seed)[0]).save(
                tmp_path / folder / f"{'hat' if folder == 'hats' else ''}{seed}.jpg"
            )
    digests = [find_photos(data, [tmp_path / folder]).digest() for folder in ("rooms", "animals", "rooms")]
    assert digests[0] == digests[2] != digests[1]


def test_only_the_recipe_that_measured_better_so_is_served_at_another_size():
    sizes = {name: serving_size(recipes["random"]) for name, recipes in RECIPES.items()}
    assert sizes == {"paper": 256, "modern": 320, "further": 352}
