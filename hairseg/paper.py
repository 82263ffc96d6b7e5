"""What B. Cesnik, "Segmentation of human hair" (2019/20), reports: the figures that this project reproduces."""

PAPER_AUROC = {"pretrained": 0.981631, "random": 0.968331}  # B. Cesnik, "Segmentation of human hair" (2019/20)
