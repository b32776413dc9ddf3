"""Answers to rows as they come: a state a series, constant work and memory a row, without torch and pandas."""
