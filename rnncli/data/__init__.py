"""From files to batches: panel, split, scale, windows."""
