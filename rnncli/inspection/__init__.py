"""What a network has learned: without data from its file alone, in NumPy; with data from what its gates do on it."""

from rnncli.inspection.statistics import summary
from rnncli.inspection.tensors import Block, blocks, check, networks
from rnncli.inspection.values import weight_values

__all__ = ["Block", "blocks", "check", "networks", "summary", "weight_values"]
