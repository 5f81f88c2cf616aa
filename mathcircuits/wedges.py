"""The mean loss over all inputs of a square, in closed form: two inputs, one hidden layer, no biases.

A unit is active on a half-plane, two units together on a wedge, and a positively homogeneous y is linear on cones. So
of the inputs the loss and its gradient want only second moments, E[x xᵀ], over wedges. Cut the square [-1, 1]² from the
origin into four triangles, one a side. In that of the side x1 = 1, between the rays through (1, 0) and (1, t), the part
of the mean of (x1², x1 x2, x2²) is (t, t²/2, t³/3) / 16, and the other sides follow by quarter turns. So a moment is a
difference of two values of one function G of the *place* where a ray meets the edge of the square: a number from -1 to
7 that grows by 1 as a point runs one unit of length round the edge, 0 to the right, 2 up, 4 to the left and 6 down.
Notebook 16 derives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from numbers import Real
from types import SimpleNamespace

import numpy as np

from mathcircuits.functions import Function

Ray = tuple[Fraction, ...]
State = np.ndarray  # (2 + outputs, units, seeds): incoming weights, then outgoing ones; the seeds last, for speed
CORNERS = {(1, 1), (-1, 1), (-1, -1), (1, -1)}


class MeanLoss:
    """The mean squared error over all of [low, high]², and its gradient, by formula: no input is drawn.

    Args:
        function: of two inputs and linear on cones, such as FUNCTIONS["minimum"], on a range symmetric about zero.

    Raises:
        ValueError: any other function; weights that do not fit it.

    >>> from mathcircuits import FUNCTIONS
    >>> mean = MeanLoss(FUNCTIONS["minimum"])
    >>> w, a = np.array([[[1, 0], [-1, 0], [1, -1]]]), np.array([[[1, -1, -1]]])  # x1 - relu(x1 - x2)
    >>> mean((w, a)).round(9), mean((w, 0 * a)).round(9)  # E min(x1, x2)² is 1/3
    (array([0.]), array([0.33333333]))
    """

    def __init__(self, function: Function):
        cones = linear_pieces(function)
        if function.arity != 2:
            raise ValueError(f"{function.name} of {function.arity} input was given; wanted a function of two inputs")
        self.function, self._scale = function, function.high**2
        begins, _ = _round(*np.array([ray for ray, _ in cones], dtype=float).T)
        slopes = np.array([cones[i][1] for i in begins.argsort()], dtype=float)
        # Knots: between two of them, a half-plane begins on one cone and ends on one cone. The first is at -1.
        rays = {tuple(sign * x for x in ray) for ray, _ in cones for sign in (1, -1)} | CORNERS
        places, moments = _round(*np.array([*rays], dtype=float).T)
        order = places.argsort()
        self._knots, moments = places[order], moments[:, order]
        middles = self._knots + np.diff(self._knots, append=7) / 2
        slopes = slopes[np.searchsorted(np.sort(begins), middles) - 1].transpose(1, 2, 0)  # (outputs, 2, knots)
        parts = _applied(slopes, np.diff(moments, append=moments[:, :1] + [[1 / 3], [0], [1 / 3]]))
        self._square = (slopes * parts).sum()  # E y²
        half = len(self._knots) // 2
        whole = np.cumsum(np.concatenate([0 * parts[..., :1], parts], axis=2), axis=2)
        from_knot = whole[..., half : 2 * half] - whole[..., :half]  # ∫ y x over the half-plane from a knot
        # From a place s after the knot it is this, and jump · G(s). Half a turn of knots is enough.
        self._jump = slopes[..., half:] - slopes[..., :half]
        self._rest = from_knot - _applied(self._jump, moments[:, :half])
        self._all = whole[..., -1][..., None, None]  # E[y x]
        self._knots = self._knots[:half]

    def __call__(self, weights: Sequence) -> np.ndarray:
        """Return the loss of every seed, (n_seeds,), for weights (n_seeds, units, 2) and (n_seeds, outputs, units)."""
        return self.of(self.state(weights))

    def gradients(self, weights: Sequence) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient of the loss by the weights, in their shapes."""
        found = self.gradient(self.state(weights))
        return found[:2].transpose(2, 1, 0), found[2:].transpose(2, 0, 1)

    def state(self, weights: Sequence) -> State:
        """Return the weights as one array, (2 + outputs, units, n_seeds)."""
        w, a = checked_weights(self.function, weights, len(self._rest))
        return np.concatenate([w.transpose(2, 1, 0), a.transpose(1, 2, 0)])

    def of(self, state: State) -> np.ndarray:
        """The loss of a state."""
        return self.both(state)[0]

    def gradient(self, state: State) -> State:
        """The gradient at a state, in its shape."""
        return self.both(state)[1]

    def both(self, state: State) -> tuple[np.ndarray, State]:
        """The loss, E (f - y)² = Σ a w·(E f x - 2 E y x) + E y², and its gradient: 2 a e by w and 2 w·e by a."""
        size = max(64, 2**13 // state.shape[1] ** 2)  # of groups of seeds whose numbers fit the cache
        if state.shape[2] > size:
            groups = [self.both(state[..., k : k + size]) for k in range(0, state.shape[2], size)]
            return tuple(np.concatenate(parts, axis=-1) for parts in zip(*groups, strict=True))
        w, a = state[:2], state[2:]
        errors, targets = self._errors(state)
        losses = (a * (w * (errors - targets)).sum(1)).sum((0, 1)) + self._square
        scale = self._scale / len(a)
        errors *= 2 * scale
        gradient = np.concatenate([(a[:, None] * errors).sum(0), (w * errors).sum(1)])
        return scale * np.maximum(losses, 0), gradient

    def _errors(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """E[(f - y) x; w·x > 0] and E[y x; w·x > 0] of every output and unit, (outputs, 2, units, n_seeds) both.

        A unit whose half-plane begins in the second half turn is taken for the opposite one, as relu(z) = z + relu(-z).
        Then the half-planes of j and k share all of one half but the wedge between their beginnings: I/6 less
        |G(s_k) - G(s_j)|.
        """
        w, out = state[:2], state[2:, None] * state[:2]
        place, moments, opposite = _edge(w[1], -w[0])  # where the half-plane of a unit, or of its opposite, begins
        knot = np.searchsorted(self._knots, place, side="right") - 1
        targets = np.take(self._rest, knot, axis=2) + _applied(np.take(self._jump, knot, axis=2), moments)
        linear = (out * opposite).sum(2, keepdims=True)
        out = np.where(opposite, -out, out)
        total = out.sum(2, keepdims=True) / 6
        wedges = (moments[:, None] - moments[:, :, None]) * np.sign(place - place[:, None])  # (3, j, k, n_seeds)
        errors = linear / 6 + total - targets - _applied(out[:, :, None], wedges).sum(3)
        errors = np.where(opposite, linear / 3 + total - self._all - errors, errors)
        targets = np.where(opposite, self._all - targets, targets)
        return errors * w.any(0), targets * w.any(0)  # a unit at zero is never active


def _edge(x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the line through 0 and (x1, x2) meets the first half of the edge, from place -1 to 3.

    Returns:
        the place; G there, (3, ...): E[x xᵀ] from place 0 to it; whether the ray itself points the other way.
    """
    upright = abs(x2) > abs(x1)  # the line meets the top
    across, along = np.where(upright, -x1, x2), np.where(upright, x2, x1)
    t = np.divide(across, along, out=np.zeros_like(across), where=along != 0)
    square = t * t / 2
    cube = t * square * (2 / 3)  # a power of three takes 50 times as long
    moments = np.where(upright, [4 / 3 + cube, 1 - square, 4 / 3 + t], [t, square, cube])
    return t + 2 * upright, moments / 16, along < 0


def _round(x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place where the ray itself meets the edge, from -1 to 7, and G there."""
    place, moments, opposite = _edge(x1, x2)
    return place + 4 * opposite, moments + np.multiply.outer([1 / 6, 0, 1 / 6], opposite)


def _applied(vectors: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Moments (3, ...), as symmetric matrices, times vectors (outputs, 2, ...)."""
    xx, xy, yy = moments
    first, second = vectors[:, 0], vectors[:, 1]
    return np.stack([xx * first + xy * second, xy * first + yy * second], axis=1)


def checked_weights(function: Function, weights: Sequence, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the two layers of many networks as float64 arrays.

    Raises:
        TypeError: what is no pair of arrays.
        ValueError: shapes that do not fit the function, numbers that are not finite.
    """
    wanted = f"wanted two arrays of weights, (seeds, units, {function.arity}) and (seeds, {outputs}, units)"
    try:
        layers = [np.asarray(layer, dtype=float) for layer in weights]
    except (TypeError, ValueError) as error:
        raise TypeError(f"{type(weights).__name__} was given; {wanted}, such as runs.initial") from error
    shapes = [layer.shape for layer in layers]
    seeds, units = shapes[0][:2] if layers and len(shapes[0]) == 3 else (0, 0)
    if not seeds or not units or shapes != [(seeds, units, function.arity), (seeds, outputs, units)]:
        raise ValueError(f"arrays of shapes {', '.join(map(str, shapes))} were given; {wanted}, without biases")
    if not all(np.isfinite(layer).all() for layer in layers):
        raise ValueError(f"weights that are NaN or infinite were given; {wanted}, all finite")
    return layers[0], layers[1]


def linear_pieces(function: Function) -> list[tuple[Ray, list]]:
    """Return the cones on which a function of one or two inputs is linear, and its slopes there, exactly.

    Its definition is run on whole cones: each of its numbers is linear there and known by its values on the rays that
    bound the cone, and where one that is compared with zero changes its sign, the cone is cut in two.

    Returns:
        For every cone the ray where it begins, anticlockwise (one input: 1 and then -1), and the slopes, (outputs,
        inputs).

    Raises:
        ValueError: three inputs or more, a domain, a range that is not symmetric, or a definition that is not linear
            on cones: f(λx) = λ f(x) for λ > 0, and finitely many pieces.

    >>> from mathcircuits import FUNCTIONS
    >>> [[*map(str, ray), *map(str, *slopes)] for ray, slopes in linear_pieces(FUNCTIONS["minimum"])]
    [['1', '1', '1', '0'], ['-1', '-1', '0', '1']]
    """
    given = f"{function.name} of {function.arity} input(s) on [{function.low}, {function.high}]"
    if function.arity not in (1, 2) or function.low != -function.high:
        raise ValueError(f"{given} was given; wanted one or two inputs, on a range symmetric about zero")
    if function.domain is not None:
        raise ValueError(f"{given} was given, which is defined on a part of it; wanted a function of all real inputs")
    axes = [(1,), (-1,)] if function.arity == 1 else [(1, 0), (0, 1), (-1, 0), (0, -1)]
    axes = [tuple(map(Fraction, ray)) for ray in axes]
    try:
        if function.arity == 1:
            return [(ray, [[value.ends[0] * ray[0]] for value in _values(function, [ray])]) for ray in axes]
        cones = [piece for rays in pairwise([*axes, axes[0]]) for piece in _pieces(function, *rays)]
    except (TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{given} was given; wanted one with f(λx) = λ f(x) for every λ > 0") from error
    merged = [cone for before, cone in zip([cones[-1], *cones], cones, strict=False) if cone[1] != before[1]]
    return merged or cones[:1]


def _pieces(function: Function, first: Ray, last: Ray) -> list[tuple[Ray, list]]:
    """The same for the cone between two rays."""
    try:
        values = _values(function, [first, last])
    except _SignChange as change:
        middle = tuple(a * x + b * y for a, b in [change.args] for x, y in zip(first, last, strict=True))
        return _pieces(function, first, middle) + _pieces(function, middle, last)
    (a, b), (c, d) = first, last
    inverse = [[d, -b], [-c, a]]  # times the determinant
    area = a * d - b * c
    return [(first, [[(p * u + q * v) / area for p, q in inverse] for u, v in (value.ends for value in values)])]


def _values(function: Function, rays: list[Ray]) -> tuple[_OnCone, ...]:
    inputs = [_OnCone(ends) for ends in zip(*rays, strict=True)]
    values = function.definition(_ON_CONE, *inputs)
    return tuple(_on_cone(value, inputs[0]) for value in (values if isinstance(values, tuple) else (values,)))


class _SignChange(Exception):
    """A number changes its sign inside the cone: at this combination of its rays."""


class _OnCone:
    """A number that depends on the input linearly, on a cone: its values on the rays that bound the cone."""

    __array_ufunc__ = None  # numpy's numbers leave products with it to it

    def __init__(self, ends):
        self.ends = tuple(ends)

    def __add__(self, other):
        return _OnCone(a + b for a, b in zip(self.ends, _on_cone(other, self).ends, strict=True))

    def __mul__(self, factor):
        if not isinstance(factor, Real):
            return NotImplemented
        return _OnCone(Fraction(factor) * a for a in self.ends)

    def __truediv__(self, divisor):
        return self * (1 / Fraction(divisor)) if isinstance(divisor, Real) else NotImplemented

    def __neg__(self):
        return -1 * self

    def __sub__(self, other):
        return self + -1 * _on_cone(other, self)

    def __rsub__(self, other):
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    def sign(self) -> int:
        """1, 0 or -1 on the inside of the cone."""
        low, high = min(self.ends), max(self.ends)
        if low < 0 < high:
            first, last = self.ends
            raise _SignChange(abs(last), abs(first))
        return (high > 0) - (low < 0)

    def __lt__(self, other):
        return (self - other).sign() < 0

    def __gt__(self, other):
        return (self - other).sign() > 0

    def __le__(self, other):
        return (self - other).sign() <= 0

    def __ge__(self, other):
        return (self - other).sign() >= 0

    def __eq__(self, other):
        return (self - other).sign() == 0

    def __ne__(self, other):
        return (self - other).sign() != 0

    __hash__ = None


def _on_cone(value, like: _OnCone) -> _OnCone:
    """The number itself, or 0 on the cone of another. No other constant is linear on a cone."""
    if isinstance(value, _OnCone):
        return value
    if isinstance(value, Real) and value == 0:
        return 0 * like
    raise TypeError(f"{value!r} is not linear on a cone")


# What a definition is given in the place of numpy.
_ON_CONE = SimpleNamespace(
    abs=lambda x: x if x >= 0 else -x,
    minimum=lambda x, y: x if x - y <= 0 else y,
    maximum=lambda x, y: x if x - y >= 0 else y,
    where=lambda condition, x, y: x if condition else y,
)
