from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader

from hairseg.augmentation import SOURCE_SIZE, Augmentation, Varied
from hairseg.datasets import Split
from hairseg.transforms import IGNORE, Preset

PRESET = Preset(64)
PLAIN = Augmentation(size=(1.0, 1.0), far=0, hairless=0, scene=0, stretch=0, rotation=0, brightness=0, contrast=0, saturation=0,
                     hue=0, grey=0, blur=0, jpeg=0)
NOBODY = Split(torch.empty(0, SOURCE_SIZE, SOURCE_SIZE, 3, dtype=torch.uint8), torch.empty(0, SOURCE_SIZE, SOURCE_SIZE, dtype=torch.uint8))


@pytest.fixture(scope="module")
def people() -> Split:
    """Two wide photos, letterboxed: red hair in the left third, the rest blue."""
    photos = torch.zeros(2, SOURCE_SIZE, SOURCE_SIZE, 3, dtype=torch.uint8)
    masks = torch.full((2, SOURCE_SIZE, SOURCE_SIZE), IGNORE, dtype=torch.uint8)
    rows = slice(SOURCE_SIZE // 4, SOURCE_SIZE * 3 // 4)
    photos[:, rows, :, 2], masks[:, rows] = 250, 0
    photos[:, rows, : SOURCE_SIZE // 3] = torch.tensor([250, 0, 0], dtype=torch.uint8)
    masks[:, rows, : SOURCE_SIZE // 3] = 1
    return Split(photos, masks)


@pytest.fixture(scope="module")
def scenes() -> Split:
    """One green scene."""
    photos = torch.zeros(1, SOURCE_SIZE, SOURCE_SIZE, 3, dtype=torch.uint8)
    photos[..., 1] = 250
    return Split(photos, torch.zeros(1, SOURCE_SIZE, SOURCE_SIZE, dtype=torch.uint8))


def test_a_frame_depends_on_seed_and_index_alone(people, scenes):
    def frames(seed, **loading):
        return list(DataLoader(Varied(people, scenes, PRESET, Augmentation(), seed), batch_size=2, **loading))[0]

    torch.manual_seed(1)
    one, before = frames(5), torch.rand(())
    torch.manual_seed(1)
    many, after = frames(5, num_workers=2), torch.rand(())
    assert all(torch.equal(a, b) for a, b in zip(one, many)) and before == after
    assert not torch.equal(frames(6)[0], one[0])
    assert one[0].shape == (2, 64, 64, 3) and one[1].shape == (2, 64, 64) and one[0].dtype == one[1].dtype == torch.uint8


@pytest.mark.parametrize("changes", [{}, {"rotation": 40}, {"size": (0.5, 0.6), "rotation": 30}, {"size": (1.5, 2.5)}, {"stretch": 0.5}])
def test_the_mask_follows_the_hair(people, changes):
    """Whatever is red is labelled hair, whatever is blue is not, and the padding is neither."""
    for index in range(2):
        for seed in range(8):
            photo, mask = Varied(people, NOBODY, PRESET, replace(PLAIN, **changes), seed)[index]
            red, blue = photo[..., 0] > 200, photo[..., 2] > 200
            assert (mask[red & ~blue] == 1).float().mean() > 0.97 or not red.any()
            assert (mask[blue & ~red] == 0).float().mean() > 0.97 or not blue.any()
            assert set(mask.unique().tolist()) <= {0, 1, IGNORE}
            colour = torch.tensor(PRESET.mean).mul(255).round()
            padding = (photo.float() - colour).abs().amax(2) < 2
            assert (mask[padding] == IGNORE).float().mean() > 0.97 or not padding.any()


def test_far_people_are_small_and_stand_in_a_scene(people, scenes):
    far = replace(PLAIN, far=1.0, far_size=(0.25, 0.3), company=0.0)
    for seed in range(10):
        photo, mask = Varied(people, scenes, PRESET, far, seed)[0]
        assert 0 < (mask == 1).sum() <= 0.3 ** 2 / 3 * 64 * 64
        assert (mask == 0).sum() > 0.9 * 64 * 64
        assert (photo[..., 1] > 200).float().mean() > 0.85  # the scene


def test_company_shows_two_people(people, scenes):
    settings = replace(PLAIN, far=1.0, far_size=(0.3, 0.3), company=1.0, feather=0.0)
    red = [int((Varied(people, scenes, PRESET, settings, seed)[0][1] == 1).sum()) for seed in range(12)]
    alone = [int((Varied(people, scenes, PRESET, replace(settings, company=0.0), seed)[0][1] == 1).sum()) for seed in range(12)]
    assert sum(red) > 1.5 * sum(alone)


def test_hairless_frames_show_a_scene_and_nobody(people, scenes):
    photo, mask = Varied(people, scenes, PRESET, replace(PLAIN, hairless=1.0), 0)[0]
    assert not mask.any() and (photo[..., 1] > 200).all()


def test_frames_without_people_may_take_any_colour(people, scenes):
    settings = replace(PLAIN, hairless=1.0, any_colour=1.0)
    hues = {int(Varied(people, scenes, PRESET, settings, seed)[0][0].float().mean((0, 1)).argmax()) for seed in range(12)}
    assert len(hues) > 1  # the scene is green
    for seed in range(6):
        photo, _ = Varied(people, NOBODY, PRESET, settings, seed)[0]
        assert (photo[..., 0] > 200).any()  # people keep their colours: this red is somebody's


def test_without_scenes_people_stand_in_the_padding(people):
    for seed in range(6):
        _, mask = Varied(people, NOBODY, PRESET, replace(Augmentation(), far=0.5, hairless=0.3), seed)[0]
        assert (mask == IGNORE).any()
