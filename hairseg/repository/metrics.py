"""metrics.json of a model repository."""

TOLERANCE = 5e-5  # scores that print alike are alike
