"""What the network reads of a window: numbers as they are, categories as learned vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnncli.model.sizes import Sizes, vector_width


class Inputs(nn.Module):
    """Puts a learned vector in the place of every category; a column has the same ones wherever it stands.

    The vector of the unknown category is zero and stays so.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self._columns = {"past": sizes.past, "static": sizes.static, "ahead": sizes.ahead}
        self._names = {name: f"column{number}" for number, (name, _) in enumerate(sizes.categories)}
        self.vectors = nn.ModuleDict(
            {self._names[name]: _vectors(count + 1, vector_width(count)) for name, count in sizes.categories}
        )

    def forward(self, part: str, values: Tensor) -> Tensor:
        """(…, columns) of `part` with codes to (…, width) numbers."""
        columns = self._columns[part]
        if not any(name in self._names for name in columns):
            return values
        found = [
            self._vector(name)(values[..., position].long()) if name in self._names else values[..., position, None]
            for position, name in enumerate(columns)
        ]
        return torch.cat(found, dim=-1)

    def _vector(self, name: str) -> nn.Embedding:
        found = self.vectors[self._names[name]]
        assert isinstance(found, nn.Embedding)
        return found


def _vectors(count: int, width: int) -> nn.Embedding:
    """Vectors with torch's own initial values, the first zero.

    None are drawn on the meta device, where a model is laid out before its file is read: to draw there, torch loads
    its compiler, which takes seconds.
    """
    weight = torch.empty(count, width)
    if not weight.is_meta:
        weight.normal_()
        weight[0] = 0
    return nn.Embedding(count, width, padding_idx=0, _weight=weight)
