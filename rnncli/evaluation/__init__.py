"""Scores of a model, beside what needs no model."""
