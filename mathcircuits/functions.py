"""The functions themselves: what each network should compute, said once for exact values, floats, torch and proofs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import reduce
from itertools import combinations

import numpy as np
import torch

from mathcircuits import checks
from mathcircuits.terms import OPERATIONS, Term, as_term

Set = tuple[tuple[float, float], ...]  # of real numbers: intervals (low, high); a single number is (x, x)
BITS: Set = ((0, 0), (1, 1))


@dataclass(frozen=True)
class Function:
    r"""A function of one or more real numbers, with one or more values, and what is known of its networks.

    Args:
        name: its key in ``FUNCTIONS``.
        arity: number of inputs.
        formula: LaTeX, without dollar signs.
        definition: ``definition(m, *inputs)``, where ``m`` offers ``abs``, ``minimum``, ``maximum`` and ``where``;
            several values are a tuple. One definition serves exact values and proofs, where the inputs are exact terms,
            and training, where they are arrays or tensors and ``m`` has whatever else numpy or torch has. For a proof
            it may use +, -, ``*`` and ``/`` by numbers, those four operations, and comparisons (joined by ``&``, ``|``
            and ``~``) as the first argument of ``where``. A float is the rational number that it stands for:
            ``.1 * x`` is not ``x / 10``.
        widths: of the smallest network known (its notebook says whether it is proved smallest).
        low, high: training inputs are uniform on [low, high] in each coordinate, as far as that is in the domain.
        domain: where a network has to agree with it: one set for each input, each a tuple of intervals (low, high),
            which may be infinite or a single number. Left out, all real inputs.
        nonzero: if given, at most so many inputs are not 0, at a time; so a network has to agree with it there only.

    Raises:
        TypeError, ValueError: arguments of the wrong type; widths for another number of inputs; a domain with another
            number of sets, or with an interval that does not reach into [low, high]; ``nonzero`` out of range, or with
            a set that 0 is not in.

    >>> FUNCTIONS["minimum"](3, -5), FUNCTIONS["minimum"].widths
    (Fraction(-5, 1), (2, 3, 1))
    >>> third = Function("a third, or 0", 1, r"\max(x, 0) / 3", lambda m, x: m.where(x > 0, x, 0) / 3, (1, 1, 1))
    >>> third(2), third(2.0), third(-2)
    (Fraction(2, 3), np.float64(0.6666666666666666), Fraction(0, 1))
    """

    name: str
    arity: int
    formula: str
    definition: Callable
    widths: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0
    domain: tuple[Set, ...] | None = None
    nonzero: int | None = None

    def __post_init__(self):
        name = checks.instance("the name", self.name, str)
        checks.instance(f"for {name}, the formula", self.formula, str)
        checks.instance(f"for {name}, the definition", self.definition, Callable, wanted="a function of m and inputs")
        arity = checks.integer(f"for {name}, the arity", self.arity, at_least=1)
        widths = checks.integers(f"for {name}, widths", self.widths, at_least=1)
        if len(widths) < 2 or widths[0] != arity:
            raise ValueError(f"for {name}, widths {widths} were given; wanted {arity}, then the units of each layer")
        ends, domain = (self.low, self.high), self.domain
        sentence = f"for {name}, the range {checks.shown(ends)} was given; wanted (low, high)"
        low, high = checks.interval(sentence, ends, flat=True)
        if domain is not None:
            wanted = f"{arity} sets of intervals that reach into [{low}, {high}]"
            sentence = f"the domain {checks.shown(domain)} of {name} was given; wanted {wanted}"
            sets = [checks.listed(sentence, intervals) for intervals in checks.listed(sentence, domain)]
            domain = tuple(
                tuple(checks.interval(sentence, pair, finite=False, flat=True) for pair in intervals)
                for intervals in sets
            )
            reach = [a == b or (a <= high and low <= b) for intervals in domain for a, b in intervals]
            if len(domain) != arity or not all(domain) or not all(reach):
                raise ValueError(sentence)
        nonzero = self.nonzero
        if nonzero is not None:
            nonzero = checks.integer(f"for {name}, nonzero", nonzero, at_least=1)
            if nonzero > arity or not low <= 0 <= high:
                raise ValueError(f"for {name}, nonzero={nonzero} was given; wanted at most {arity}, and 0 in the range")
            if domain is not None and not all(any(a <= 0 <= b for a, b in intervals) for intervals in domain):
                raise ValueError(
                    f"for {name}, nonzero={nonzero} was given; wanted a domain whose sets all have 0 in them"
                )
        # Lists have become tuples, and numpy's numbers those of Python.
        known = {"arity": arity, "widths": widths, "low": low, "high": high, "domain": domain, "nonzero": nonzero}
        for field, value in known.items():
            object.__setattr__(self, field, value)

    def __reduce__(self):
        """Return what is pickled: of a function in FUNCTIONS its name, for those hold lambdas."""
        if FUNCTIONS.get(self.name) == self:
            return _named, (self.name,)
        return Function, tuple(getattr(self, field.name) for field in fields(self))

    def __call__(self, *inputs):
        """Evaluate: exactly for integers and Fractions, in float64 for floats and arrays, or on tensors.

        Inputs are scalars, or arrays or tensors of one shape; so is the result, or each of a tuple of results.

        Raises:
            TypeError: inputs that are not numbers; a definition that fails on them, or gives something else.
            ValueError: a number of inputs that is not the arity, or of values that is not the last of the widths.

        >>> FUNCTIONS["absolute_value"](np.array([3, -5])).tolist()
        [3.0, 5.0]
        """
        if len(inputs) == self.arity and any(isinstance(x, torch.Tensor) for x in inputs):
            m = _Tensors(self.name, inputs)
            return self._values(m, m._inputs, m._result)
        inputs = checks.inputs(self.name, inputs, self.arity)
        if isinstance(inputs[0], Fraction):
            return self._values(OPERATIONS, map(as_term, inputs), _exact)
        m = _Arrays(inputs)
        return self._values(m, m._inputs, m._result)

    def terms(self) -> tuple[Term, ...]:
        """Return its values as exact terms of its inputs: what proofs are about.

        Raises:
            TypeError, ValueError: a definition that uses what exact terms do not know, such as a product of inputs.

        >>> FUNCTIONS["relu"].terms()
        (Term(where),)
        """
        values = self._values(OPERATIONS, [Term("input", i) for i in range(self.arity)], as_term)
        return values if isinstance(values, tuple) else (values,)

    def _values(self, m, inputs: Iterable, value: Callable):
        """Return what the definition gives, each value passed through ``value``, which lets through numbers only."""
        try:
            given = self.definition(m, *inputs)
        except Exception as error:  # whatever goes wrong in a definition, it is no definition on these inputs
            kind = ValueError if isinstance(error, ArithmeticError | ValueError) else TypeError
            wanted = "; wanted +, -, * and / by numbers, m.abs, m.minimum, m.maximum and m.where"
            more = wanted if m is OPERATIONS and "wanted" not in str(error) else ""
            raise kind(f"the definition of {self.name} fails: {error}{more}") from error
        values, count = given if isinstance(given, tuple) else (given,), self.widths[-1]
        wanted = "a number" if count == 1 else f"a tuple of {count} numbers"
        if len(values) != count:
            raise ValueError(f"the definition of {self.name} gives {len(values)} values; wanted {wanted}")
        try:
            values = tuple(map(value, values))
        except (TypeError, ValueError) as error:
            raise type(error)(f"the definition of {self.name} gives {checks.shown(given)}; wanted {wanted}") from error
        return values if isinstance(given, tuple) else values[0]

    def sample(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Draw n inputs, shape (n, arity), each coordinate on its own.

        Uniform on [low, high]; where there is a domain, uniform on one of the intervals of its set, each as likely.
        With ``nonzero``, all but so many coordinates, each choice of them as likely, are then 0.

        >>> FUNCTIONS["minimum"].sample(np.random.default_rng(0), 3).shape
        (3, 2)
        >>> sorted(set(FUNCTIONS["logical_and"].sample(np.random.default_rng(0), 99).ravel().tolist()))
        [0.0, 1.0]
        """
        checks.instance("the generator", generator, np.random.Generator, wanted="a numpy Generator, as of default_rng")
        n = checks.integer("n", n, at_least=0)
        if self.domain is None:
            drawn = generator.uniform(self.low, self.high, size=(n, self.arity))
        else:
            sets = (np.array(intervals)[generator.integers(len(intervals), size=n)] for intervals in self._intervals())
            drawn = np.column_stack([generator.uniform(*ends.T) for ends in sets])
        return drawn if self.nonzero is None else np.where(some_of(self.arity, self.nonzero, n, generator), drawn, 0.0)

    def grid(self, n: int) -> np.ndarray:
        """Return about n inputs, shape (_, arity): the centres of equal boxes that fill [low, high] in each coordinate.

        There is an even number of boxes along each coordinate, so the inputs are as symmetric as the range is. In a
        domain, each interval is filled so, and each single number is taken once. With ``nonzero``, so for every choice
        of so many coordinates, the others being 0.

        >>> FUNCTIONS["minimum"].grid(4).tolist()
        [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]
        >>> FUNCTIONS["logical_and"].grid(1000).tolist()
        [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
        """
        n = checks.integer("n", n, at_least=1)
        free = self.arity if self.nonzero is None else self.nonzero
        choices = list(combinations(range(self.arity), free))
        side = 2 * max(1, round((n / len(choices)) ** (1 / free) / 2))
        fill = (np.arange(side) + 0.5) / side
        points = [
            np.concatenate([low + (high - low) * (fill if low < high else np.zeros(1)) for low, high in intervals])
            for intervals in self._intervals()
        ]
        parts = []
        for choice in choices:
            axes = [points[i] if i in choice else np.zeros(1) for i in range(self.arity)]
            parts.append(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, self.arity))
        return np.concatenate(parts)

    def _intervals(self) -> list[list[tuple[float, float]]]:
        """For each input, the intervals that training draws from: those of the domain, within [low, high]."""
        everywhere = (((-math.inf, math.inf),),) * self.arity
        return [
            [(a, b) if a == b else (max(a, self.low), min(b, self.high)) for a, b in intervals]
            for intervals in (everywhere if self.domain is None else self.domain)
        ]


def some_of(n: int, k: int, rows: int, generator: np.random.Generator) -> np.ndarray:
    """Return truth values, shape (rows, n): in every row k are True, each choice of places as likely.

    >>> some_of(5, 2, 100, np.random.default_rng(0)).sum(1).tolist() == [2] * 100
    True
    """
    return generator.random((rows, n)).argsort(1) < k


def _named(name: str) -> Function:
    return FUNCTIONS[name]


def _exact(value) -> Fraction:
    term = as_term(value)
    if term.operation != "number":
        raise TypeError("a term of inputs that it was not given")
    return term.parts[0]


class _Arrays:
    """Numpy for a definition; in the four operations a number may stand for an array, as it may for a term.

    Whatever else has an underscore, so that it hides nothing of numpy's or torch's.
    """

    _module, _kinds, _truth = np, (np.ndarray, np.generic), np.dtype(bool)

    def __init__(self, inputs: Sequence[np.ndarray]):
        self._inputs, self._shape = [x[()] for x in inputs], inputs[0].shape

    def __getattr__(self, name: str):
        return getattr(self._module, name)

    def _array(self, value):
        if isinstance(value, self._kinds):
            return value
        return self._made(value if isinstance(value, bool) else float(checks.number("the value", value)))

    def _made(self, value: float | bool):
        return np.asarray(value)[()]

    def _result(self, value):
        """Let through numbers in the shape of the inputs, or fill that shape with one."""
        value = self._array(value)
        if value.dtype == self._truth:
            raise TypeError("truth values were given; wanted m.where(comparison, 1, 0)")
        value = self._real(value)
        return value if value.shape == self._shape else self._module.broadcast_to(value, self._shape) + 0.0

    def _real(self, value):
        return checks.floats("the value", value)[()]

    def abs(self, a):
        return self._module.abs(self._array(a))

    def minimum(self, a, b):
        return self._module.minimum(self._array(a), self._array(b))

    def maximum(self, a, b):
        return self._module.maximum(self._array(a), self._array(b))

    def where(self, comparison, a, b):
        comparison = self._array(comparison)
        if comparison.dtype != self._truth:
            raise TypeError("m.where was given numbers to choose by; wanted a comparison, such as x > 0")
        return self._module.where(comparison, self._array(a), self._array(b))


class _Tensors(_Arrays):
    """Torch for a definition. Tensors of integers become float64, and so do numbers and arrays among the inputs."""

    _module, _kinds, _truth = torch, (torch.Tensor,), torch.bool

    def __init__(self, name: str, inputs: Sequence):
        like = next(x for x in inputs if isinstance(x, torch.Tensor))
        self._dtype, self._device = like.dtype if like.is_floating_point() else torch.float64, like.device
        floats = (
            x if isinstance(x, torch.Tensor) else self._made(checks.floats(f"an input of {name},", x)) for x in inputs
        )
        self._inputs = list(map(self._real, floats))
        self._shape = checks.shape([tuple(x.shape) for x in self._inputs])

    def _made(self, value):
        return torch.as_tensor(value, dtype=None if isinstance(value, bool) else self._dtype, device=self._device)

    def _real(self, value):
        if value.is_complex():
            raise TypeError(f"{checks.shown(value)} was given; wanted real numbers")
        return value if value.is_floating_point() else value.to(self._dtype)


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
        Function("relu", 1, r"\max(x, 0)", lambda m, x: m.maximum(x, 0), (1, 1, 1)),
        Function("leaky_relu", 1, r"\max(x, x/4)", lambda m, x: m.maximum(x, x / 4), (1, 2, 1)),
        Function("maximum", 2, r"\max(x_1, x_2)", _maximum_of, (2, 3, 1)),
        Function("distance", 2, r"|x_1 - x_2|", lambda m, x1, x2: m.abs(x1 - x2), (2, 2, 1)),
        Function("absolute_sum", 2, r"|x_1| + |x_2|", lambda m, x1, x2: m.abs(x1) + m.abs(x2), (2, 4, 1)),
        Function(
            "absolute_maximum", 2, r"\max(|x_1|, |x_2|)", lambda m, x1, x2: m.maximum(m.abs(x1), m.abs(x2)), (2, 4, 1)
        ),
        Function("positive_maximum", 2, r"\max(0, x_1, x_2)", lambda m, *x: _maximum_of(m, 0, *x), (2, 2, 2, 1)),
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
            lambda m, x: m.minimum(m.maximum(x, 0), 1),
            (1, 2, 1),
            low=-1,
            high=2,
        ),
        Function(
            "soft_threshold",
            1,
            r"\max(x - 1, 0) + \min(x + 1, 0)",
            lambda m, x: m.maximum(x - 1, 0) + m.minimum(x + 1, 0),
            (1, 2, 1),
            low=-2,
            high=2,
        ),
        # Functions of numbers that are known to lie somewhere: away from a jump, on a bounded interval, bits.
        Function(
            "step",
            1,
            r"[x \geq 0]",
            lambda m, x: m.where(x < 0, 0, 1),
            (1, 2, 1),
            low=-3,
            high=3,
            domain=(((-math.inf, -1), (0, math.inf)),),
        ),
        Function(
            "indicator",
            1,
            r"[x = 0]",
            lambda m, x: m.where(x == 0, 1, 0),
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
