"""The functions themselves: what each network should compute, said once for numpy, torch and z3."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from numbers import Rational

import numpy as np
import torch

from mathcircuits.network import to_fractions

Set = tuple[tuple[float, float], ...]  # of real numbers: intervals (low, high); a single number is (x, x)
BITS: Set = ((0, 0), (1, 1))


@dataclass(frozen=True)
class Function:
    """A function of one or more real numbers, with one or more values, and what is known of its networks.

    Args:
        name: its key in ``FUNCTIONS``.
        arity: number of inputs.
        formula: LaTeX, without dollar signs.
        definition: ``definition(m, *inputs)`` where ``m`` offers ``abs``, ``minimum``, ``maximum`` and ``where``.
            The modules numpy and torch do, and so does the one that ``proof`` makes for z3, so one
            definition serves exact values, training and proofs. Several values are a tuple.
        widths: of the smallest network known (its notebook says whether it is proved smallest).
        low, high: training inputs are uniform on [low, high] in each coordinate, as far as that is in the domain.
        domain: where a network has to agree with it: one set for each input, each a tuple of intervals (low, high),
            which may be infinite or a single number. Left out, all real inputs.

    Raises:
        ValueError: a domain of another number of sets, or with an interval that does not reach into [low, high].

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
    domain: tuple[Set, ...] | None = None

    def __post_init__(self):
        sets = self._intervals()
        if len(sets) != self.arity or not all(intervals and all(a <= b for a, b in intervals) for intervals in sets):
            wanted = f"{self.arity} sets of intervals that reach into [{self.low}, {self.high}]"
            raise ValueError(f"the domain {self.domain} of {self.name} was given; wanted {wanted}")

    def __call__(self, *inputs):
        """Evaluate: exactly for integers and Fractions, in float64 for floats and arrays, or on tensors.

        Inputs are scalars, or arrays or tensors of one shape; so is the result, or each of a tuple of results.

        Raises:
            ValueError: a number of inputs that is not the arity.

        >>> FUNCTIONS["absolute_value"](np.array([3, -5])).tolist()
        [3.0, 5.0]
        """
        if len(inputs) != self.arity:
            raise ValueError(f"{len(inputs)} inputs were given; {self.name} takes {self.arity}")
        if isinstance(inputs[0], torch.Tensor):
            return self.definition(torch, *inputs)
        if all(isinstance(x, Rational) for x in inputs):
            value = self.definition(np, *to_fractions(inputs))
        else:
            value = self.definition(np, *(np.asarray(x, dtype=np.float64)[()] for x in inputs))
        # numpy's ``where`` gives an array even for scalars.
        return tuple(np.asarray(v)[()] for v in value) if isinstance(value, tuple) else np.asarray(value)[()]

    def sample(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Draw n inputs, shape (n, arity), each coordinate on its own.

        Uniform on [low, high]; where there is a domain, uniform on one of the intervals of its set, each as likely.

        >>> FUNCTIONS["minimum"].sample(np.random.default_rng(0), 3).shape
        (3, 2)
        >>> sorted(set(FUNCTIONS["logical_and"].sample(np.random.default_rng(0), 99).ravel().tolist()))
        [0.0, 1.0]
        """
        if self.domain is None:
            return generator.uniform(self.low, self.high, size=(n, self.arity))
        drawn = (np.array(intervals)[generator.integers(len(intervals), size=n)] for intervals in self._intervals())
        return np.column_stack([generator.uniform(*ends.T) for ends in drawn])

    def grid(self, n: int) -> np.ndarray:
        """Return about n inputs, shape (_, arity): the centres of equal boxes that fill [low, high] in each coordinate.

        There is an even number of boxes along each coordinate, so the inputs are as symmetric as the range is. In a
        domain, each interval is filled so, and each single number is taken once.

        >>> FUNCTIONS["minimum"].grid(4).tolist()
        [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]
        >>> FUNCTIONS["logical_and"].grid(1000).tolist()
        [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
        """
        side = 2 * max(1, round(n ** (1 / self.arity) / 2))
        fill = (np.arange(side) + 0.5) / side
        points = [
            np.concatenate([low + (high - low) * (fill if low < high else np.zeros(1)) for low, high in intervals])
            for intervals in self._intervals()
        ]
        return np.stack(np.meshgrid(*points, indexing="ij"), -1).reshape(-1, self.arity)

    def _intervals(self) -> list[list[tuple[float, float]]]:
        """For each input, the intervals that training draws from: those of the domain, within [low, high]."""
        everywhere = (((-math.inf, math.inf),),) * self.arity
        return [
            [(a, b) if a == b else (max(a, self.low), min(b, self.high)) for a, b in intervals]
            for intervals in (everywhere if self.domain is None else self.domain)
        ]


def _minimum_of(m, *inputs):
    return reduce(m.minimum, inputs)


def _maximum_of(m, *inputs):
    return reduce(m.maximum, inputs)


def _median(m, x1, x2, x3):
    return m.maximum(m.minimum(x1, x2), m.minimum(m.maximum(x1, x2), x3))


def _parity(m, *bits):
    return reduce(lambda a, b: m.abs(a - b), bits)


def _if(m, s, a, b):
    return m.where(s > 0, a, b)


# A number by itself would be no tensor in torch: 0 is written 0 * x.
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
        # More functions of real numbers.
        Function("relu", 1, r"\max(x, 0)", lambda m, x: m.maximum(x, 0 * x), (1, 1, 1)),
        Function("leaky_relu", 1, r"\max(x, x/4)", lambda m, x: m.maximum(x, x / 4), (1, 2, 1)),
        Function("maximum", 2, r"\max(x_1, x_2)", _maximum_of, (2, 3, 1)),
        Function("distance", 2, r"|x_1 - x_2|", lambda m, x1, x2: m.abs(x1 - x2), (2, 2, 1)),
        Function("absolute_sum", 2, r"|x_1| + |x_2|", lambda m, x1, x2: m.abs(x1) + m.abs(x2), (2, 4, 1)),
        Function(
            "absolute_maximum", 2, r"\max(|x_1|, |x_2|)", lambda m, x1, x2: m.maximum(m.abs(x1), m.abs(x2)), (2, 4, 1)
        ),
        Function("positive_maximum", 2, r"\max(0, x_1, x_2)", lambda m, *x: _maximum_of(m, 0 * x[0], *x), (2, 2, 2, 1)),
        Function("median_of_three", 3, r"\mathrm{median}(x_1, x_2, x_3)", _median, (3, 5, 3, 1)),
        Function(
            "sort_two", 2, r"\mathrm{sort}(x_1, x_2)", lambda m, *x: (_minimum_of(m, *x), _maximum_of(m, *x)), (2, 4, 2)
        ),
        Function(
            "sort_three",
            3,
            r"\mathrm{sort}(x_1, x_2, x_3)",
            lambda m, *x: (_minimum_of(m, *x), _median(m, *x), _maximum_of(m, *x)),
            (3, 6, 5, 3),
        ),
        Function(
            "clip",
            1,
            r"\min(\max(x, 0), 1)",
            lambda m, x: m.minimum(m.maximum(x, 0 * x), 0 * x + 1),
            (1, 2, 1),
            low=-1,
            high=2,
        ),
        Function(
            "soft_threshold",
            1,
            r"\max(x - 1, 0) + \min(x + 1, 0)",
            lambda m, x: m.maximum(x - 1, 0 * x) + m.minimum(x + 1, 0 * x),
            (1, 2, 1),
            low=-2,
            high=2,
        ),
        # Functions of numbers that are known to lie somewhere: away from a jump, on a bounded interval, bits.
        Function(
            "step",
            1,
            r"[x \geq 0]",
            lambda m, x: m.where(x < 0, 0 * x, 0 * x + 1),
            (1, 2, 1),
            low=-3,
            high=3,
            domain=(((-math.inf, -1), (0, math.inf)),),
        ),
        Function(
            "indicator",
            1,
            r"[x = 0]",
            lambda m, x: m.where(x == 0, 0 * x + 1, 0 * x),
            (1, 3, 1),
            low=-3,
            high=3,
            domain=(((-math.inf, -1), (0, 0), (1, math.inf)),),
        ),
        Function(
            "if_then_else",
            3,
            r"x_1 \mathbin{?} x_2 : x_3",
            _if,
            (3, 2, 1),
            domain=(BITS, ((-1, 1),), ((-1, 1),)),
        ),
        Function("logical_and", 2, r"x_1 \land x_2", _minimum_of, (2, 1, 1), domain=(BITS,) * 2),
        Function("logical_or", 2, r"x_1 \lor x_2", _maximum_of, (2, 1, 1), domain=(BITS,) * 2),
        Function("logical_xor", 2, r"x_1 \oplus x_2", _parity, (2, 2, 1), domain=(BITS,) * 2),
        Function("parity_of_three", 3, r"x_1 \oplus x_2 \oplus x_3", _parity, (3, 3, 1), domain=(BITS,) * 3),
        Function("majority", 3, r"[x_1 + x_2 + x_3 \geq 2]", _median, (3, 2, 1), domain=(BITS,) * 3),
        Function("multiplexer", 3, r"x_1 \mathbin{?} x_2 : x_3", _if, (3, 2, 1), domain=(BITS,) * 3),
        Function(
            "full_adder",
            3,
            r"\mathrm{bits}(x_1 + x_2 + x_3)",
            lambda m, *x: (_parity(m, *x), _median(m, *x)),
            (3, 3, 2),
            domain=(BITS,) * 3,
        ),
        Function("maximum_of_five", 5, r"\max(x_1, x_2, x_3, x_4, x_5)", _maximum_of, (5, 10, 8, 1)),
        Function("maximum_of_six", 6, r"\max(x_1, x_2, x_3, x_4, x_5, x_6)", _maximum_of, (6, 17, 68, 1)),
    )
}
