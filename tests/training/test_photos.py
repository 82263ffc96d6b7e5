from dataclasses import replace

from conftest import draw_celebamask_hq, draw_portrait
from PIL import Image

from hairseg.training.options import TrainOptions
from hairseg.training.photos import find_photos
from hairseg.training.recipes import RECIPES


def test_held_out_photos_are_scored_at_the_serving_size(tmp_path):
    recipe = replace(RECIPES["paper"]["random"], image_size=64, serve_scale=0.5)
    photos = find_photos(TrainOptions(data=[draw_celebamask_hq(tmp_path, list(range(27636, 27660)))]))
    splits, tests = photos.load(recipe, workers=1)
    assert [splits[name].photos.shape[1] for name in ("train", "val", "test")] == [64, 32, 32]
    assert tests["celebamask-hq"] is splits["test"]
    assert len(splits["test"]) > 0


def test_digest_distinguishes_scenes_of_the_same_name(tmp_path):
    data = [draw_celebamask_hq(tmp_path / "celebamask-hq", list(range(27636, 27660)))]
    for folder in ("rooms", "animals"):
        (tmp_path / folder).mkdir()
        for seed in range(8):
            Image.fromarray(draw_portrait(seed)[0]).save(tmp_path / folder / f"{seed}.jpg")
    digests = [
        find_photos(TrainOptions(data=data, scenes=[tmp_path / folder])).digest()
        for folder in ("rooms", "animals", "rooms")
    ]
    assert digests[0] == digests[2] != digests[1]


def test_serving_size_differs_from_the_image_size_only_for_finetune():
    sizes = {name: recipes["random"].serving_size for name, recipes in RECIPES.items()}
    assert sizes == {"paper": 256, "modern": 320, "finetune": 352}
