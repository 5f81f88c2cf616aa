"""The functions themselves: what each network should compute, said once for numpy, torch and z3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Rational

import numpy as np
import torch

from mathcircuits.network import to_fractions


@dataclass(frozen=True)
class Function:
    """A real function of one or more real numbers, and what is known of its networks.

    Args:
        name: its key in ``FUNCTIONS``.
        arity: number of inputs.
        formula: LaTeX, without dollar signs.
        definition: ``definition(m, *inputs)`` where ``m`` offers ``abs``, ``minimum`` and ``maximum``.
            The modules numpy and torch do, and so does the one that ``proof`` makes for z3, so one
            definition serves exact values, training and proofs.
        widths: of the smallest network known (its notebook says whether it is proved smallest).
        low, high: training inputs are uniform on [low, high] in each coordinate.

    >>> FUNCTIONS["minimum"](3, -5), FUNCTIONS["minimum"].widths
    (Fraction(-5, 1), (2, 3, 1))
    """

    name: str
    arity: int
    formula: str
    definition: Callable
    widths: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0

    def __call__(self, *inputs):
        """Evaluate: exactly for integers and Fractions, in float64 for floats and arrays, or on tensors.

        Inputs are scalars, or arrays or tensors of one shape; so is the result.

        Raises:
            ValueError: a number of inputs that is not the arity.

        >>> FUNCTIONS["absolute_value"](np.array([3, -5])).tolist()
        [3.0, 5.0]
        """
        if len(inputs) != self.arity:
            raise ValueError(f"{len(inputs)} inputs were given; {self.name} takes {self.arity}")
        if all(isinstance(x, Rational) for x in inputs):
            return self.definition(np, *to_fractions(inputs))
        if isinstance(inputs[0], torch.Tensor):
            return self.definition(torch, *inputs)
        return self.definition(np, *(np.asarray(x, dtype=np.float64)[()] for x in inputs))

    def sample(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Draw n inputs, shape (n, arity), uniform on [low, high] in each coordinate.

        >>> FUNCTIONS["minimum"].sample(np.random.default_rng(0), 3).shape
        (3, 2)
        """
        return generator.uniform(self.low, self.high, size=(n, self.arity))

    def grid(self, n: int) -> np.ndarray:
        """Return about n inputs, shape (_, arity): the centres of equal boxes that fill [low, high] in each coordinate.

        There is an even number of boxes along each coordinate, so the inputs are as symmetric as the range is.

        >>> FUNCTIONS["minimum"].grid(4).tolist()
        [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]
        """
        side = 2 * max(1, round(n ** (1 / self.arity) / 2))
        centres = self.low + (self.high - self.low) * (np.arange(side) + 0.5) / side
        return np.stack(np.meshgrid(*[centres] * self.arity, indexing="ij"), -1).reshape(-1, self.arity)


def _minimum_of(m, first, *others):
    for x in others:
        first = m.minimum(first, x)
    return first


def _maximum_of(m, first, *others):
    for x in others:
        first = m.maximum(first, x)
    return first


FUNCTIONS: dict[str, Function] = {
    f.name: f
    for f in (
        Function("identity", 1, r"x", lambda m, x: x, (1, 2, 1)),
        Function("negative_identity", 1, r"-x", lambda m, x: -x, (1, 2, 1)),
        Function("absolute_value", 1, r"|x|", lambda m, x: m.abs(x), (1, 2, 1)),
        Function("addition", 2, r"x_1 + x_2", lambda m, x1, x2: x1 + x2, (2, 2, 1)),
        Function("subtraction", 2, r"x_1 - x_2", lambda m, x1, x2: x1 - x2, (2, 2, 1)),
        Function("minimum", 2, r"\min(x_1, x_2)", lambda m, x1, x2: m.minimum(x1, x2), (2, 3, 1)),
        Function("minimum_of_three", 3, r"\min(x_1, x_2, x_3)", _minimum_of, (3, 4, 3, 1)),
        Function("minimum_of_four", 4, r"\min(x_1, x_2, x_3, x_4)", _minimum_of, (4, 6, 3, 1)),
        Function("maximum_of_five", 5, r"\max(x_1, x_2, x_3, x_4, x_5)", _maximum_of, (5, 10, 8, 1)),
        Function("maximum_of_six", 6, r"\max(x_1, x_2, x_3, x_4, x_5, x_6)", _maximum_of, (6, 17, 68, 1)),
    )
}
