"""The comparison with other networks, on drawn portraits."""

import json
import sys

import numpy as np
import pytest
import torch
from conftest import DATA, PROJECT, run_here
from PIL import Image

from hairseg.data.datasets import find_pairs, load_pair
from hairseg.images import load_photo
from hairseg.repository.metrics import Metrics

sys.path.insert(0, str(PROJECT / "benchmarks"))

from peer_networks import BiSeNet, FaceParsing, MediaPipe

MEDIAPIPE = DATA.parent / "peers" / "mediapipe_hair_segmentation.tflite"

PEERS = """
import numpy as np

class Everything:
    name, megabytes = "Everything", 4.21

    def alpha(self, photo):
        return np.ones(photo.shape[:2], np.float32)

class Pixels(Everything):
    name = "Pixels"

    def alpha(self, photo):
        return np.ones(photo.shape, np.float32)
"""


@pytest.fixture
def peers(tmp_path):
    (tmp_path / "mine.py").write_text(PEERS)
    return tmp_path / "mine.py"


def test_peers_are_scored_beside_ours(portraits, small_repository, tmp_path, peers):
    (tmp_path / "animals").mkdir()
    for index in (8, 9, 10, 11):  # 8 is a test photo
        Image.new("RGB", (48, 32), "green").save(tmp_path / "animals" / f"{index}.jpg")
    words = ["--data", portraits, "--scenes", tmp_path / "animals", "--repo", small_repository, "--limit", 2]
    run_here("benchmarks/peers.py", *words, "--peer", f"{peers}:Everything", "--output", tmp_path / "peers.json")
    result = json.loads((tmp_path / "peers.json").read_text())
    assert result["peers"].keys() == {"HairSeg, pretrained", "Everything"}
    assert result["peers"]["Everything"]["megabytes"] == 4.2
    assert 12 < result["peers"]["HairSeg, pretrained"]["megabytes"] < 13.5

    dataset, pairs = find_pairs(portraits)
    test = [pair for pair in pairs if pair.split == "test"]
    assert len(test) == 3
    hair = np.mean([load_pair(pair, dataset)[1].mean() for pair in test[:2]])
    metrics = Metrics.model_validate(result["scores"])
    scores = metrics.full_resolution["Everything"]
    assert metrics.images == 2
    assert scores.f1 == pytest.approx(2 * hair / (1 + hair), abs=1e-4)
    assert scores.false_hair == pytest.approx(1 - hair, abs=1e-4)
    assert scores.auroc == 0.5
    types = {found.name: found for found in metrics.by_photo_type()}
    assert types.keys() == {"Portraits", "Nobody in the picture"}
    assert types["Portraits"].scores("Everything").f1 == scores.f1
    assert types["Nobody in the picture"].scores("Everything").false_hair == 1
    assert types["Portraits"].variants.keys() == result["peers"].keys()


@pytest.mark.parametrize(
    "words, problem",
    [
        (["--peer", "gone.py:Peer"], "'gone.py:Peer' names no file. Give FILE.py:CLASS."),
        (["--peer", "{peers}:Gone"], "has no class 'Gone'. Give FILE.py:CLASS."),
        (["--peer", "{peers}:Pixels"], "Pixels returned float32 (96, 96, 3) for a photo of (96, 96)."),
        (["--bisenet", "gone.pth"], "gone.pth is not a file."),
        (["--bisenet", "{peers}"], "does not hold the weights of face-parsing BiSeNet"),
    ],
)
def test_mistakes_are_one_line(portraits, small_repository, peers, words, problem):
    words = [word.format(peers=peers) for word in words]
    done = run_here("benchmarks/peers.py", "--data", portraits, "--repo", small_repository, *words, rc=2)
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert problem in line


def test_bisenet_reads_weights_with_the_heads_of_training(tmp_path):
    torch.manual_seed(0)
    weights = BiSeNet().state_dict()
    # The published file has 191 tensors, of which 14 belong to the two other heads.
    assert len(weights) == 191 - 14
    assert weights["ffm.convblk.conv.weight"].shape == (256, 256, 1, 1)
    torch.save(weights | {"conv_out16.conv_out.weight": torch.zeros(19, 64, 1, 1)}, tmp_path / "bisenet.pth")
    peer = FaceParsing(tmp_path / "bisenet.pth")
    alpha = peer.alpha(np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8))
    assert alpha.shape == (60, 40)
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1


@pytest.mark.skipif(not MEDIAPIPE.exists(), reason="the weights are not on this machine")
def test_mediapipe_finds_the_hair_of_a_portrait():
    pytest.importorskip("ai_edge_litert")
    photo = load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg")
    alpha = MediaPipe(MEDIAPIPE).alpha(photo)
    assert alpha.shape == photo.shape[:2]
    assert alpha.dtype == np.float32
    hair = alpha >= 0.5
    assert 0.08 < hair.mean() < 0.2
    assert hair[40, 140]  # above the forehead
    assert not hair[140, 140]  # the face
