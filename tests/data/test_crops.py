import numpy as np
from PIL import Image

from hairseg.data.crops import BODY_RANGE, HEAD_RANGE, zoomed_crops
from hairseg.data.datasets import find_pairs, load_pair


def draw_person(root, name: str, hair: tuple[int, int, int, int]):
    """Draw a photo of 200 x 300 pixels whose colours encode positions; hair is (left, top, right, bottom)."""
    y, x = np.mgrid[:300, :200]
    photo = np.stack([x, y // 2, np.zeros_like(x)], -1).astype(np.uint8)
    mask = np.zeros((300, 200), np.uint8)
    left, top, right, bottom = hair
    mask[top:bottom, left:right] = 255
    for part, picture in (("photos", photo), ("masks", mask)):
        (root / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / part / f"{name}.png")


def test_whole_persons_are_cropped(tmp_path):
    for name in "abcdefgh":
        draw_person(tmp_path / "street", name, (80, 20, 110, 45))
    dataset, pairs = find_pairs(tmp_path / "street")
    crops = {crop.id: crop for crop in zoomed_crops(pairs, dataset)}
    assert {f"{name}/{part}" for name in "abcdefgh" for part in ("head", "body", "garment")} >= crops.keys()
    assert len(crops) > 16
    assert all(crops[f"{name}/head"].split == pair.split for name, pair in zip("abcdefgh", pairs, strict=True))
    for name, crop in crops.items():
        photo, mask = load_pair(crop, dataset)
        assert abs(photo.shape[0] - photo.shape[1]) <= 1
        assert mask.shape == photo.shape[:2]
        whole, _ = load_pair(pairs["abcdefgh".index(name[0])], dataset)
        row, column = int(photo[0, 0, 1]) * 2, int(photo[0, 0, 0])  # The colours encode the position.
        assert (
            np.array_equal(photo[::2], whole[row : row + len(photo), column : column + photo.shape[1]][::2]) or row % 2
        )
        if name.endswith("garment"):
            assert not mask.any()
        else:
            low, high = HEAD_RANGE if name.endswith("head") else BODY_RANGE
            assert mask.sum() == 30 * 25
            assert low * 30 - 1 <= len(photo) <= high * 30 + 1


def test_portraits_and_people_without_hair_are_not_cropped(tmp_path):
    draw_person(tmp_path / "near", "portrait", (20, 20, 180, 200))
    draw_person(tmp_path / "near", "nobody", (0, 0, 0, 0))
    dataset, pairs = find_pairs(tmp_path / "near")
    assert zoomed_crops(pairs, dataset) == []
