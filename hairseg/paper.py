"""Constants from the paper that this project reproduces: B. Cesnik, "Segmentation of human hair" (2019/20)."""

VARIANTS = ("pretrained", "random")

# Blue and vermilion remain distinct without colour vision: M. Okabe and K. Ito, "Color Universal Design" (2008).
VARIANT_COLOURS = {"pretrained": "#0072b2", "random": "#d55e00"}

PAPER_AUROC = {"pretrained": 0.981631, "random": 0.968331}
"""Pixel AUROC on the paper's test photos."""
