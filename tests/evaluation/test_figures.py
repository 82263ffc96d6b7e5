import numpy as np
import torch
from PIL import Image

from hairseg.evaluation.figures import draw_comparison, draw_history, draw_precision_recall, draw_roc
from hairseg.evaluation.metrics import PixelCounts


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_comparison_shows_random_photo_pretrained_in_the_papers_order(tmp_path):
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 255
    draw_comparison(tmp_path / "figure3.png", [(np.zeros((40, 40)), red, np.ones((40, 40)))])
    picture = pixels(tmp_path / "figure3.png")
    middle = picture[picture.shape[0] * 6 // 10]
    third = len(middle) // 3
    assert middle[third // 2].tolist() == [0, 0, 0]
    assert middle[third + third // 2].tolist() == [255, 0, 0]
    assert middle[2 * third + third // 2].tolist() == [255, 255, 255]


def test_masks_are_not_stretched_to_full_contrast(tmp_path):
    """A hairless head's faint alpha stays black."""
    faint = np.full((40, 40), 0.02)
    faint[20:] = 0.0
    draw_comparison(tmp_path / "figure3.png", [(faint, np.zeros((40, 40, 3), np.uint8), faint)])
    picture = pixels(tmp_path / "figure3.png")
    assert picture[picture.shape[0] * 4 // 10, picture.shape[1] // 6].max() < 10


def test_history_is_drawn_even_with_gaps(tmp_path):
    record = {"loss": 0.1, "f1": 0.9, "auroc": None}
    draw_history(tmp_path / "figure4.png", [{"epoch": 1, "train": record, "test": record}], "title", 1)
    assert pixels(tmp_path / "figure4.png").std() > 5


def test_curves_of_a_perfect_network_hug_the_corner(tmp_path):
    counts = PixelCounts()
    counts.update(
        torch.cat([torch.linspace(-9, -1, 500), torch.linspace(1, 9, 500)]), (torch.arange(1000) >= 500).int()
    )
    worse = PixelCounts()
    worse.update(torch.randn(1000, generator=torch.Generator().manual_seed(0)), (torch.arange(1000) >= 500).int())
    for draw in (draw_roc, draw_precision_recall):
        draw(tmp_path / "one.png", {"pretrained": counts})
        draw(tmp_path / "two.png", {"pretrained": counts, "random": worse})
        assert (pixels(tmp_path / "one.png") != pixels(tmp_path / "two.png")).any()
