"""Scores of a model repository on a data set, and the figures of its card."""
