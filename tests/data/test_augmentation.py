from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from conftest import PROJECT
from torch.utils.data import DataLoader

from hairseg.data.augmentation import SOURCE_SIZE, Augmentation, AugmentedPhotos
from hairseg.data.decoded import PhotoArrays
from hairseg.data.jpeg import quantisation_tables, simulate_jpeg
from hairseg.data.rendering import _blur, render
from hairseg.images import load_photo
from hairseg.networks.preprocessing import IGNORE, Preprocessing

PREPROCESSING = Preprocessing(64)
PLAIN = Augmentation(
    scale=(1.0, 1.0),
    distant_prob=0,
    no_person_prob=0,
    scene_prob=0,
    max_stretch=0,
    max_rotation=0,
    brightness=0,
    contrast=0,
    saturation=0,
    hue=0,
    greyscale_prob=0,
    blur_prob=0,
    jpeg_prob=0,
)
NO_SCENES = PhotoArrays.empty(SOURCE_SIZE)


@pytest.fixture(scope="module")
def people() -> PhotoArrays:
    """Two wide, letterboxed photos: red hair in the left third, the rest blue."""
    photos = torch.zeros(2, SOURCE_SIZE, SOURCE_SIZE, 3, dtype=torch.uint8)
    masks = torch.full((2, SOURCE_SIZE, SOURCE_SIZE), IGNORE, dtype=torch.uint8)
    rows = slice(SOURCE_SIZE // 4, SOURCE_SIZE * 3 // 4)
    photos[:, rows, :, 2], masks[:, rows] = 250, 0
    photos[:, rows, : SOURCE_SIZE // 3] = torch.tensor([250, 0, 0], dtype=torch.uint8)
    masks[:, rows, : SOURCE_SIZE // 3] = 1
    windows = torch.tensor([0, rows.start, SOURCE_SIZE, rows.stop]).expand(2, 4)
    return PhotoArrays(photos, masks, windows)


@pytest.fixture(scope="module")
def scenes() -> PhotoArrays:
    """One green scene."""
    photos = torch.zeros(1, SOURCE_SIZE, SOURCE_SIZE, 3, dtype=torch.uint8)
    photos[..., 1] = 250
    return PhotoArrays(photos, torch.zeros(1, SOURCE_SIZE, SOURCE_SIZE, dtype=torch.uint8))


def render_one(people, scenes, settings, seed, index=0) -> tuple[torch.Tensor, torch.Tensor]:
    """Render a photo (64, 64, 3) and its mask (64, 64)."""
    photos, masks = render(AugmentedPhotos(people, scenes, PREPROCESSING, settings, seed)[[index]], PREPROCESSING)
    return photos[0], masks[0]


def test_frame_depends_only_on_seed_and_index(people, scenes):
    """The loading process, the position in the batch and global generators have no influence."""

    def frames(seed, indices, **loading):
        loader = DataLoader(
            AugmentedPhotos(people, scenes, PREPROCESSING, Augmentation(), seed),
            batch_size=None,
            sampler=[indices],
            **loading,
        )
        return render(next(iter(loader)), PREPROCESSING)

    torch.manual_seed(1)
    one, before = frames(5, [0, 1]), torch.rand(())
    torch.manual_seed(2)
    other = frames(5, [1, 0], num_workers=1)
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs.flip(0), atol=1, rtol=0)
    torch.manual_seed(1)
    frames(6, [0])
    assert torch.rand(()) == before
    assert not torch.equal(frames(6, [0, 1])[0], one[0])
    assert one[0].shape == (2, 64, 64, 3)
    assert one[1].shape == (2, 64, 64)
    assert one[0].dtype == one[1].dtype == torch.uint8


def test_without_augmentation_the_frame_is_the_preprocessed_photo():
    """The photo is only scaled from 512 to 64 pixels and possibly mirrored."""
    portrait = cv2.resize(
        load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"), (SOURCE_SIZE, SOURCE_SIZE)
    )
    y, x = np.mgrid[:SOURCE_SIZE, :SOURCE_SIZE]
    mask = (np.hypot(x - 200, y - 150) < 120).astype(np.uint8)
    people = PhotoArrays(torch.from_numpy(portrait)[None], torch.from_numpy(mask)[None])
    expected, expected_mask = PREPROCESSING.fit_photo(portrait), PREPROCESSING.fit_mask(mask)
    for seed in range(40):  # Some of them shift the photo by less than a pixel.
        layer = AugmentedPhotos(people, NO_SCENES, PREPROCESSING, PLAIN, seed)[[0]].layers[0]
        if layer.transforms[0, :, 2].abs().max() < 1 / 64:
            break
    photo, mask_found = render_one(people, NO_SCENES, PLAIN, seed)
    if layer.transforms[0, 0, 0] < 0:
        photo, mask_found = photo.flip(1), mask_found.flip(1)
    inner = slice(2, -2)
    assert np.abs(photo.numpy().astype(int) - expected)[inner, inner].mean() < 4
    assert (mask_found.numpy() != expected_mask)[inner, inner].mean() < 0.02


def test_half_of_the_photos_are_mirrored(people):
    """Red hair, on the left of the photo, is on the right of about half of the frames."""

    def mean_column(colour):
        return torch.nonzero(colour)[:, 1].float().mean()

    mirrored = 0
    for seed in range(60):
        photo, mask = render_one(people, NO_SCENES, PLAIN, seed)
        mirrored += bool(mean_column(mask == 1) > mean_column(mask == 0))
        assert (mean_column(photo[..., 0] > 200) > mean_column(photo[..., 2] > 200)) == (
            mean_column(mask == 1) > mean_column(mask == 0)
        )
    assert 18 <= mirrored <= 42


def test_jpeg_simulation_matches_opencv():
    """OpenCV also rounds to integers, but the result is much closer to it than to the photo."""
    photo = cv2.resize(
        load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"),
        (256, 256),
        interpolation=cv2.INTER_AREA,
    )
    planes = torch.from_numpy(photo).permute(2, 0, 1).float().expand(2, 3, 256, 256)
    ours = simulate_jpeg(planes, quantisation_tables([30, 80])).clamp(0, 255).permute(0, 2, 3, 1).numpy()
    for quality, compressed in zip((30, 80), ours, strict=True):
        _, data = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        theirs = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)[..., ::-1].astype(float)
        loss = np.abs(theirs - photo).mean()
        assert np.abs(compressed - theirs).mean() < 0.35 * loss
        assert np.abs(compressed - photo).mean() == pytest.approx(loss, rel=0.15)


def test_blur_matches_opencv():
    photos = torch.rand(2, 3, 40, 30)
    kernels = torch.stack([torch.from_numpy(cv2.getGaussianKernel(5, sigma)[:, 0]).float() for sigma in (0.4, 1.4)])
    for photo, sigma, blurred in zip(photos, (0.4, 1.4), _blur(photos, kernels), strict=True):
        expected = cv2.GaussianBlur(photo.permute(1, 2, 0).numpy(), (5, 5), sigma, borderType=cv2.BORDER_REFLECT_101)
        np.testing.assert_allclose(blurred.permute(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{}, {"max_rotation": 40}, {"scale": (0.5, 0.6), "max_rotation": 30}, {"scale": (1.5, 2.5)}, {"max_stretch": 0.5}],
)
def test_mask_follows_the_hair(people, changes):
    """Red is labelled hair, blue is labelled other, and padding is ignored."""
    for index in range(2):
        for seed in range(8):
            photo, mask = render_one(people, NO_SCENES, replace(PLAIN, **changes), seed, index)
            red, blue = photo[..., 0] > 200, photo[..., 2] > 200
            assert (mask[red & ~blue] == 1).float().mean() > 0.97 or not red.any()
            assert (mask[blue & ~red] == 0).float().mean() > 0.97 or not blue.any()
            assert set(mask.unique().tolist()) <= {0, 1, IGNORE}
            colour = torch.tensor(PREPROCESSING.mean).mul(255).round()
            padding = (photo.float() - colour).abs().amax(2) < 2
            assert (mask[padding] == IGNORE).float().mean() > 0.97 or not padding.any()


def test_unlabelled_parts_are_shown_but_ignored(people):
    """The right half of the photo is not labelled; unlike padding, it keeps its colours."""
    partly = PhotoArrays(people.photos, people.masks.clone(), people.windows)
    partly.masks[:, :, SOURCE_SIZE // 2 :] = IGNORE
    shown = 0
    for seed in range(8):
        (photo, known), (same, mask) = (
            render_one(people, NO_SCENES, PLAIN, seed),
            render_one(partly, NO_SCENES, PLAIN, seed),
        )
        torch.testing.assert_close(photo, same)
        inside = known != IGNORE
        assert (mask == IGNORE)[~inside].all()
        assert 0.4 < (mask == IGNORE)[inside].float().mean() < 0.6
        assert ((mask == known) | (mask == IGNORE)).float().mean() > 0.999
        shown += int((photo[..., 2] > 200)[inside & (mask == IGNORE)].sum())
    assert shown > 8 * 500


def test_scenes_are_drawn_by_their_weights(people):
    photos = torch.zeros(2, SOURCE_SIZE, SOURCE_SIZE, 3, dtype=torch.uint8)
    photos[1] = 250
    weights = torch.tensor([1, 3], dtype=torch.float64)
    two = PhotoArrays(photos, torch.zeros(2, SOURCE_SIZE, SOURCE_SIZE, dtype=torch.uint8), weights=weights)
    is_light = [
        bool(render_one(people, two, replace(PLAIN, no_person_prob=1.0), seed)[0].float().mean() > 100)
        for seed in range(200)
    ]
    assert sum(is_light) / 200 == pytest.approx(0.75, abs=0.1)


def test_distant_people_are_small_and_in_a_scene(people, scenes):
    distant = replace(PLAIN, distant_prob=1.0, distant_scale=(0.25, 0.3), second_person_prob=0.0)
    for seed in range(10):
        photo, mask = render_one(people, scenes, distant, seed, 0)
        assert 0 < (mask == 1).sum() <= 0.3**2 / 3 * 64 * 64
        assert (mask == 0).sum() > 0.9 * 64 * 64
        assert (photo[..., 1] > 200).float().mean() > 0.85  # The scene is green.


def test_second_person_adds_hair(people, scenes):
    settings = replace(PLAIN, distant_prob=1.0, distant_scale=(0.3, 0.3), second_person_prob=1.0, max_feather=0.0)
    hair_of_two = [int((render_one(people, scenes, settings, seed, 0)[1] == 1).sum()) for seed in range(12)]
    hair_of_one = [
        int((render_one(people, scenes, replace(settings, second_person_prob=0.0), seed, 0)[1] == 1).sum())
        for seed in range(12)
    ]
    assert sum(hair_of_two) > 1.5 * sum(hair_of_one)


def test_crowds_add_hair(people, scenes):
    settings = replace(PLAIN, distant_prob=1.0, distant_scale=(0.2, 0.2), second_person_prob=1.0, max_feather=0.0)

    def count_hair(max_people: int) -> int:
        crowd = replace(settings, max_people=max_people)
        return sum(int((render_one(people, scenes, crowd, seed)[1] == 1).sum()) for seed in range(12))

    assert count_hair(5) > 1.7 * count_hair(2)


def test_dim_light_darkens_and_warms(people):
    bright, _ = render_one(people, NO_SCENES, PLAIN, 0)
    for seed in range(6):
        dim, _ = render_one(people, NO_SCENES, replace(PLAIN, dim_light_prob=1.0), seed)
        ratios = dim.float().mean((0, 1)) / bright.float().mean((0, 1)).clamp(min=1)
        assert 0.2 < ratios[0] < 0.85
        assert 0.4 * ratios[0] < ratios[2] <= ratios[0] + 0.05


def test_frames_without_people_show_only_a_scene(people, scenes):
    photo, mask = render_one(people, scenes, replace(PLAIN, no_person_prob=1.0), 0)
    assert not mask.any()
    assert (photo[..., 1] > 200).all()


def test_scenes_without_people_vary_in_colour(people, scenes):
    settings = replace(PLAIN, no_person_prob=1.0, scene_colour=1.0)
    hues = {int(render_one(people, scenes, settings, seed, 0)[0].float().mean((0, 1)).argmax()) for seed in range(12)}
    assert len(hues) > 1  # The scene is green.
    for seed in range(6):
        photo, _ = render_one(people, NO_SCENES, settings, seed, 0)
        assert (photo[..., 0] > 200).any()  # People keep their colours.


def test_without_scenes_people_are_padded(people):
    for seed in range(6):
        _, mask = render_one(people, NO_SCENES, replace(Augmentation(), distant_prob=0.5, no_person_prob=0.3), seed, 0)
        assert (mask == IGNORE).any()
