"""What B. Cesnik, "Segmentation of human hair" (2019/20), compares and reports: what this project reproduces."""

VARIANTS = ("pretrained", "random")

# Blue and vermilion, apart without colour vision too: M. Okabe and K. Ito, "Color Universal Design" (2008).
VARIANT_COLOURS = {"pretrained": "#0072b2", "random": "#d55e00"}

PAPER_AUROC = {"pretrained": 0.981631, "random": 0.968331}  # over all pixels of its test photos
