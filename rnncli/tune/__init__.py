"""A search for good settings: what is searched, the trials, who trains them, and what came of it."""
