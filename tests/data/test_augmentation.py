from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from conftest import PROJECT
from torch.utils.data import DataLoader

from hairseg.data.augmentation import SOURCE_SIZE, Augmentation, AugmentedPhotos
from hairseg.data.decoded import PhotoArrays
from hairseg.data.jpeg import compress, quantisation
from hairseg.data.rendering import _blur, render
from hairseg.images import load_photo
from hairseg.networks.preprocessing import IGNORE, Preprocessing

PRESET = Preprocessing(64)
PLAIN = Augmentation(
    size=(1.0, 1.0),
    far=0,
    hairless=0,
    scene=0,
    stretch=0,
    rotation=0,
    brightness=0,
    contrast=0,
    saturation=0,
    hue=0,
    grey=0,
    blur=0,
    jpeg=0,
)
NOBODY = PhotoArrays(
    torch.empty(0, SOURCE_SIZE, SOURCE_SIZE, 3, dtype=torch.uint8),
    torch.empty(0, SOURCE_SIZE, SOURCE_SIZE, dtype=torch.uint8),
)


@pytest.fixture(scope="module")
def people() -> PhotoArrays:
    """Two wide photos, letterboxed: red hair in the left third, the rest blue."""
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


def frame(people, scenes, settings, seed, index=0) -> tuple[torch.Tensor, torch.Tensor]:
    """Photo (64, 64, 3) and mask (64, 64)."""
    photos, masks = render(AugmentedPhotos(people, scenes, PRESET, settings, seed)[[index]], PRESET)
    return photos[0], masks[0]


def test_a_frame_depends_on_seed_and_index_alone(people, scenes):
    """Not on the process that draws it, its place in the batch, or the state of any global generator."""

    def frames(seed, indices, **loading):
        loader = DataLoader(
            AugmentedPhotos(people, scenes, PRESET, Augmentation(), seed), batch_size=None, sampler=[indices], **loading
        )
        return render(next(iter(loader)), PRESET)

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
    assert (
        one[0].shape == (2, 64, 64, 3) and one[1].shape == (2, 64, 64) and one[0].dtype == one[1].dtype == torch.uint8
    )


def test_what_is_left_as_it_is_is_the_preset_s_photo(scenes):
    """Scaled from 512 to 64 pixels and nothing else, either way round: as OpenCV's area filter gives it."""
    portrait = cv2.resize(
        load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"), (SOURCE_SIZE, SOURCE_SIZE)
    )
    y, x = np.mgrid[:SOURCE_SIZE, :SOURCE_SIZE]
    mask = (np.hypot(x - 200, y - 150) < 120).astype(np.uint8)
    people = PhotoArrays(torch.from_numpy(portrait)[None], torch.from_numpy(mask)[None])
    expected, expected_mask = PRESET.fit_photo(portrait), PRESET.fit_mask(mask)
    for seed in range(40):  # some of these place the photo, which fills the frame, within a pixel of the middle
        layer = AugmentedPhotos(people, NOBODY, PRESET, PLAIN, seed)[[0]].layers[0]
        if layer.placing[0, :, 2].abs().max() < 1 / 64:
            break
    photo, found = frame(people, NOBODY, PLAIN, seed)
    if layer.placing[0, 0, 0] < 0:
        photo, found = photo.flip(1), found.flip(1)
    inner = slice(2, -2)
    assert np.abs(photo.numpy().astype(int) - expected)[inner, inner].mean() < 4
    assert (found.numpy() != expected_mask)[inner, inner].mean() < 0.02


def test_half_of_the_photos_are_mirrored(people):
    """Red hair is on the left of the photo: to the left of the blue in about half of the frames, else to its right."""

    def middle(colour):
        return torch.nonzero(colour)[:, 1].float().mean()

    mirrored = 0
    for seed in range(60):
        photo, mask = frame(people, NOBODY, PLAIN, seed)
        mirrored += bool(middle(mask == 1) > middle(mask == 0))
        assert (middle(photo[..., 0] > 200) > middle(photo[..., 2] > 200)) == (middle(mask == 1) > middle(mask == 0))
    assert 18 <= mirrored <= 42


def test_compression_is_that_of_jpeg():
    """Against OpenCV's encoder, whose blocks are rounded to integers besides: much nearer to it than to the photo."""
    photo = cv2.resize(
        load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"),
        (256, 256),
        interpolation=cv2.INTER_AREA,
    )
    planes = torch.from_numpy(photo).permute(2, 0, 1).float().expand(2, 3, 256, 256)
    ours = compress(planes, quantisation([30, 80])).clamp(0, 255).permute(0, 2, 3, 1).numpy()
    for quality, compressed in zip((30, 80), ours, strict=True):
        _, data = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        theirs = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)[..., ::-1].astype(float)
        loss = np.abs(theirs - photo).mean()
        assert np.abs(compressed - theirs).mean() < 0.35 * loss
        assert np.abs(compressed - photo).mean() == pytest.approx(loss, rel=0.15)


def test_blur_is_opencvs():
    photos = torch.rand(2, 3, 40, 30)
    kernels = torch.stack([torch.from_numpy(cv2.getGaussianKernel(5, sigma)[:, 0]).float() for sigma in (0.4, 1.4)])
    for photo, sigma, blurred in zip(photos, (0.4, 1.4), _blur(photos, kernels), strict=True):
        expected = cv2.GaussianBlur(photo.permute(1, 2, 0).numpy(), (5, 5), sigma, borderType=cv2.BORDER_REFLECT_101)
        np.testing.assert_allclose(blurred.permute(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{}, {"rotation": 40}, {"size": (0.5, 0.6), "rotation": 30}, {"size": (1.5, 2.5)}, {"stretch": 0.5}]
)
def test_the_mask_follows_the_hair(people, changes):
    """Whatever is red is labelled hair, whatever is blue is not, and the padding is neither."""
    for index in range(2):
        for seed in range(8):
            photo, mask = frame(people, NOBODY, replace(PLAIN, **changes), seed, index)
            red, blue = photo[..., 0] > 200, photo[..., 2] > 200
            assert (mask[red & ~blue] == 1).float().mean() > 0.97 or not red.any()
            assert (mask[blue & ~red] == 0).float().mean() > 0.97 or not blue.any()
            assert set(mask.unique().tolist()) <= {0, 1, IGNORE}
            colour = torch.tensor(PRESET.mean).mul(255).round()
            padding = (photo.float() - colour).abs().amax(2) < 2
            assert (mask[padding] == IGNORE).float().mean() > 0.97 or not padding.any()


def test_what_is_not_labelled_in_a_photo_is_shown_and_not_learnt(people):
    """The right half of the photo: unlike padding it keeps its colours."""
    partly = PhotoArrays(people.photos, people.masks.clone(), people.windows)
    partly.masks[:, :, SOURCE_SIZE // 2 :] = IGNORE
    shown = 0
    for seed in range(8):
        (photo, known), (same, mask) = frame(people, NOBODY, PLAIN, seed), frame(partly, NOBODY, PLAIN, seed)
        torch.testing.assert_close(photo, same)
        inside = known != IGNORE
        assert (mask == IGNORE)[~inside].all() and 0.4 < (mask == IGNORE)[inside].float().mean() < 0.6
        assert ((mask == known) | (mask == IGNORE)).float().mean() > 0.999
        shown += int((photo[..., 2] > 200)[inside & (mask == IGNORE)].sum())
    assert shown > 8 * 500


def test_scenes_are_drawn_by_their_weights(people):
    photos = torch.zeros(2, SOURCE_SIZE, SOURCE_SIZE, 3, dtype=torch.uint8)
    photos[1] = 250
    weights = torch.tensor([1, 3], dtype=torch.float64)
    two = PhotoArrays(photos, torch.zeros(2, SOURCE_SIZE, SOURCE_SIZE, dtype=torch.uint8), weights=weights)
    light = [
        bool(frame(people, two, replace(PLAIN, hairless=1.0), seed)[0].float().mean() > 100) for seed in range(200)
    ]
    assert sum(light) / 200 == pytest.approx(0.75, abs=0.1)


def test_far_people_are_small_and_stand_in_a_scene(people, scenes):
    far = replace(PLAIN, far=1.0, far_size=(0.25, 0.3), second_person_share=0.0)
    for seed in range(10):
        photo, mask = frame(people, scenes, far, seed, 0)
        assert 0 < (mask == 1).sum() <= 0.3**2 / 3 * 64 * 64
        assert (mask == 0).sum() > 0.9 * 64 * 64
        assert (photo[..., 1] > 200).float().mean() > 0.85  # the scene


def test_company_shows_two_people(people, scenes):
    settings = replace(PLAIN, far=1.0, far_size=(0.3, 0.3), second_person_share=1.0, feather=0.0)
    red = [int((frame(people, scenes, settings, seed, 0)[1] == 1).sum()) for seed in range(12)]
    alone = [
        int((frame(people, scenes, replace(settings, second_person_share=0.0), seed, 0)[1] == 1).sum())
        for seed in range(12)
    ]
    assert sum(red) > 1.5 * sum(alone)


def test_hairless_frames_show_a_scene_and_nobody(people, scenes):
    photo, mask = frame(people, scenes, replace(PLAIN, hairless=1.0), 0)
    assert not mask.any() and (photo[..., 1] > 200).all()


def test_frames_without_people_may_take_any_colour(people, scenes):
    settings = replace(PLAIN, hairless=1.0, any_colour=1.0)
    hues = {int(frame(people, scenes, settings, seed, 0)[0].float().mean((0, 1)).argmax()) for seed in range(12)}
    assert len(hues) > 1  # the scene is green
    for seed in range(6):
        photo, _ = frame(people, NOBODY, settings, seed, 0)
        assert (photo[..., 0] > 200).any()  # people keep their colours: this red is somebody's


def test_without_scenes_people_stand_in_the_padding(people):
    for seed in range(6):
        _, mask = frame(people, NOBODY, replace(Augmentation(), far=0.5, hairless=0.3), seed, 0)
        assert (mask == IGNORE).any()
