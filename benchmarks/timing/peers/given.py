"""What every script here is told."""

import argparse

import torch


def given():
    """The file, the cell and the sizes of a run; torch has its number of threads then."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("cell")
    for name in ("hidden", "batch", "context", "horizon", "epochs", "threads"):
        parser.add_argument(f"--{name}", type=int)
    found = parser.parse_args()
    torch.set_num_threads(found.threads)
    return found
