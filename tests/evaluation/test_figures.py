import numpy as np
import torch
from PIL import Image, ImageColor

from hairseg.evaluation.figures import draw_comparison, draw_history, draw_precision_recall, draw_roc
from hairseg.evaluation.metrics import PixelCounts, PixelScores
from hairseg.paper import VARIANT_COLOURS


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


def coloured(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the pixels of a colour, (pixels, 2)."""
    return np.argwhere((np.abs(picture - colour) < 12).all(axis=2))


BLUE, ORANGE = (0x1D, 0x4E, 0xD8), (0xC2, 0x41, 0x0C)  # train and test
PRETRAINED, RANDOM = (ImageColor.getrgb(VARIANT_COLOURS[variant]) for variant in ("pretrained", "random"))


def test_history_leaves_gaps_for_missing_scores(tmp_path):
    """Test F1 falls from left to right; AUROC has no value in any epoch, so the third panel has no line."""
    history = [
        {
            "epoch": epoch,
            "train": {"loss": 0.1, "f1": 0.5, "auroc": None},
            "test": {"loss": 0.2, "f1": f1, "auroc": None},
        }
        for epoch, f1 in ((1, 0.9), (2, 0.6), (3, 0.3))
    ]
    draw_history(tmp_path / "figure4.png", history, "title", 1)
    picture = pixels(tmp_path / "figure4.png")
    third = picture.shape[1] // 3
    line = coloured(picture[60:, third : 2 * third], ORANGE)
    left, right = (line[line[:, 1] == column, 0].mean() for column in (line[:, 1].min(), line[:, 1].max()))
    assert right - left > 80  # rows count downwards
    assert np.ptp(coloured(picture[:, 2 * third :], BLUE)[:, 1]) < 60  # in the legend alone


def scores_of(logits: torch.Tensor, masks: torch.Tensor) -> PixelScores:
    counts = PixelCounts()
    counts.update(logits, masks)
    return counts.scores()


def test_perfect_scores_follow_the_corner_and_random_scores_the_diagonal(tmp_path):
    masks = (torch.arange(2000) >= 1000).int()
    perfect = scores_of(torch.linspace(-9, 9, 2000), masks)
    guesses = scores_of(torch.randn(2000, generator=torch.Generator().manual_seed(0)), masks)

    draw_roc(tmp_path / "roc.png", {"pretrained": perfect, "random": guesses})
    corner = coloured(pixels(tmp_path / "roc.png"), PRETRAINED)
    diagonal = coloured(pixels(tmp_path / "roc.png"), RANDOM)
    (top, left), (bottom, right) = corner.min(0), corner.max(0)
    inside = (corner[:, 0] > top + 5) & (corner[:, 1] > left + 5) & (corner[:, 0] < bottom - 80)
    assert not inside.any()
    middle = diagonal[np.abs(diagonal[:, 1] - (left + right) / 2) < 3, 0]
    assert abs(np.median(middle) - (top + bottom) / 2) < 0.1 * (bottom - top)

    draw_precision_recall(tmp_path / "precision_recall.png", {"pretrained": perfect, "random": guesses}, 0.5)
    picture = pixels(tmp_path / "precision_recall.png")
    above_legend = picture[: picture.shape[0] * 7 // 10, : picture.shape[1] // 2]
    one, half = (coloured(above_legend, colour)[:, 0] for colour in (PRETRAINED, RANDOM))
    assert np.ptp(one) < 6  # precision 1 at every recall
    assert np.median(half) - np.median(one) > 100  # half of the pixels are hair
