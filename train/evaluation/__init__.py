"""Evaluation: what a rebuilt photo is measured by, on the same photos and holes for every model."""
