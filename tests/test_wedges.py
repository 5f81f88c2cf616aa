"""Closed forms are held against quadrature and torch autograd, pieces of functions against plain Python."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from plain import PLAIN

from mathcircuits import FUNCTIONS, Function, MeanLoss
from mathcircuits.wedges import linear_pieces

TWO = ["addition", "subtraction", "minimum", "maximum", "distance", "absolute_sum", "absolute_maximum"]
TWO += ["positive_maximum", "sort_two"]


def own(definition, **others):
    return Function("own", others.pop("arity", 2), "f", definition, (2, 2, 1), **others)


def drawn(seed, n, m, outputs=1):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, m, 2)), generator.normal(size=(n, outputs, m))


def by_quadrature(function, w, a, bends=()):
    """The loss of one network, and its gradients by autograd: the square is cut into triangles from the origin, on
    each of which the network and y are linear, and on a triangle three points integrate a quadratic exactly."""
    w, a = (torch.tensor(t, requires_grad=True) for t in (w, a))
    angles = [k * math.pi / 4 for k in range(9)] + [math.atan2(y, x) % (2 * math.pi) for x, y in bends]
    for x, y in w.detach().tolist():
        angles += [math.atan2(x, -y) % (2 * math.pi), math.atan2(-x, y) % (2 * math.pi)]
    loss, angles = 0.0, sorted(angles)
    for first, last in zip(angles, angles[1:], strict=False):
        corners = [(math.cos(t), math.sin(t)) for t in (first, last)]
        p, q = (torch.tensor([c, s], dtype=torch.float64) / max(abs(c), abs(s)) for c, s in corners)
        area = abs(p[0] * q[1] - p[1] * q[0]) / 2
        x = torch.stack([p / 6 + q / 6, 2 * p / 3 + q / 6, p / 6 + 2 * q / 3]) * function.high
        y = function(*x.T)
        y = torch.stack(y if isinstance(y, tuple) else [y])
        loss = loss + area / 4 * ((a @ (w @ x.T).relu() - y) ** 2).mean()
    loss.backward()
    return loss.item(), w.grad.numpy(), a.grad.numpy()


@pytest.mark.parametrize("m", [1, 2, 5])
@pytest.mark.parametrize("name", TWO)
def test_loss_and_gradient_are_those_of_quadrature_and_autograd(name, m):
    weights = drawn(m, 20, m, 2 if name == "sort_two" else 1)
    mean = MeanLoss(FUNCTIONS[name])
    losses, (by_w, by_a) = mean(weights), mean.gradients(weights)
    for k, (w, a) in enumerate(zip(*weights, strict=True)):
        loss, grad_w, grad_a = by_quadrature(FUNCTIONS[name], w, a)
        assert abs(losses[k] - loss) < 1e-12 * max(1, loss)
        assert max(abs(by_w[k] - grad_w).max(), abs(by_a[k] - grad_a).max()) < 1e-11


@pytest.mark.parametrize("w", [[[1, 0], [-1, 0]], [[1, 1], [1, 1]], [[1, -1], [-1, 1]], [[0, 1], [0.5, -0.5]]])
def test_directions_along_axes_and_diagonals(w):
    w, a = np.array(w, dtype=float), np.array([[0.7, -0.4]])
    mean = MeanLoss(FUNCTIONS["minimum"])
    _, grad_w, grad_a = by_quadrature(FUNCTIONS["minimum"], w, a)
    by_w, by_a = mean.gradients((w[None], a[None]))
    assert max(abs(by_w - grad_w).max(), abs(by_a - grad_a).max()) < 1e-12


def test_a_unit_at_zero_has_no_gradient_and_no_part():
    w, a = np.array([[[0.0, 0.0], [1, 2]]]), np.array([[[3.0, 0.5]]])
    mean = MeanLoss(FUNCTIONS["maximum"])
    assert mean((w, a)) == mean((w[:, 1:], a[..., 1:]))
    assert not mean.gradients((w, a))[0][0, 0].any() and mean.gradients((w, a))[1][0, 0, 0] == 0


def test_any_bends_and_any_range():
    """Bends off the axes and diagonals, on one side only, and inputs on [-3, 3]."""
    function = own(lambda m, x, y: m.maximum(3 * x - 2 * y, m.minimum(x, y / 5)) - m.abs(x + 7 * y) / 3, low=-3, high=3)
    lines = [(7, -1), (1, 5), (1, 1), (11, 15)]  # of x + 7y, x - y/5, and 3x - 2y less x and y/5
    bends = [(sign * x, sign * y) for x, y in lines for sign in (1, -1)]
    w, a = drawn(0, 20, 3)
    losses, (by_w, by_a) = MeanLoss(function)((w, a)), MeanLoss(function).gradients((w, a))
    for k in range(20):
        loss, grad_w, grad_a = by_quadrature(function, w[k], a[k], bends)
        assert abs(losses[k] - loss) < 1e-12 * loss
        assert max(abs(by_w[k] - grad_w).max(), abs(by_a[k] - grad_a).max()) < 1e-10


@pytest.mark.parametrize("name", [*TWO, "identity", "negative_identity", "absolute_value", "relu", "leaky_relu"])
def test_pieces_are_the_function(name):
    function = FUNCTIONS[name]
    pieces = linear_pieces(function)
    angle = [math.atan2(*map(float, (*ray, 0)[1::-1])) % (2 * math.pi) for ray, _ in pieces]
    assert angle == sorted(angle)
    for point in np.random.default_rng(0).integers(-50, 50, (300, function.arity)).tolist():
        at = math.atan2(*map(float, (*point, 0)[1::-1])) % (2 * math.pi)
        _, slopes = pieces[max((k for k, begin in enumerate(angle) if begin <= at + 1e-12), default=-1)]
        y = PLAIN[name](*point)
        assert tuple(sum(v * x for v, x in zip(row, point, strict=True)) for row in slopes) == (
            y if isinstance(y, tuple) else (y,)
        )


def test_pieces_are_as_few_as_can_be():
    assert [len(linear_pieces(FUNCTIONS[name])) for name in TWO] == [1, 1, 2, 2, 2, 4, 4, 3, 2]
    never = own(lambda m, x, y: m.maximum(x, m.minimum(x, y)))  # = x
    assert linear_pieces(never) == [((1, 0), [[1, 0]])]


@pytest.mark.parametrize(
    "definition",
    [
        lambda m, x, y: m.maximum(x - 1, y),
        lambda m, x, y: x + 1,
        lambda m, x, y: x * y,
        lambda m, x, y: m.maximum(x, 1e-9),
        lambda m, x, y: m.where(x > 1, x, y),
        lambda m, x, y: m.sqrt(x * x),
        lambda m, x, y: x / y,
        lambda m, x, y: 3,
        lambda m, x, y: None,
    ],
)
def test_what_is_not_linear_on_cones_is_refused(definition):
    with pytest.raises(ValueError, match=r"own of 2 input\(s\) .* was given; wanted one with f\(λx\) = λ f\(x\)"):
        linear_pieces(own(definition))


def test_zeros_branches_and_exact_numbers_are_followed():
    ramp = own(lambda m, x, y: sum([m.maximum(x, 0), m.maximum(0, y)]))
    assert linear_pieces(ramp) == linear_pieces(own(lambda m, x, y: (m.abs(x) + x + y + m.abs(y)) / 2))
    assert linear_pieces(own(lambda m, x, y: x if x > y else y)) == linear_pieces(FUNCTIONS["maximum"])
    assert linear_pieces(own(lambda m, x, y: np.float64(0.1) * x)) == [((1, 0), [[Fraction(0.1), 0]])]


@pytest.mark.parametrize("name", ["minimum_of_three", "clip", "logical_and", "soft_threshold", "step"])
def test_other_functions_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} of .* was given"):
        MeanLoss(FUNCTIONS[name])


def test_one_input_is_refused_by_the_mean_loss():
    with pytest.raises(ValueError, match="identity of 1 input was given; wanted a function of two inputs"):
        MeanLoss(FUNCTIONS["identity"])
