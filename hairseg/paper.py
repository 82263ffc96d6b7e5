"""What B. Cesnik, "Segmentation of human hair" (2019/20), compares and reports: what this project reproduces."""

VARIANTS = ("pretrained", "random")

PAPER_AUROC = {"pretrained": 0.981631, "random": 0.968331}  # over all pixels of its test photos
