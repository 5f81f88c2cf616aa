"""The library of circuits, held against matrices typed by hand, and functions against plain Python, sympy and torch."""

import inspect
import random
from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch

from mathcircuits import FUNCTIONS, Function, Network, circuits, merge_layers

HALF = Fraction(1, 2)
RECONSTRUCT = [[[1], [-1]], [[1, -1]]]
MINIMUM = [[[1, -1], [1, 0], [-1, 0]], [[-1, 1, -1]]]

BY_HAND = {
    "positiveness_detector": [[[1]], [[1]]],
    "negativeness_detector": [[[-1]], [[1]]],
    "greaterness_detector": [[[1, -1]], [[1]]],
    "positive_reconstructor": [[[1]], [[1]]],
    "negative_reconstructor": [[[-1]], [[-1]]],
    "reconstructor_circuit": RECONSTRUCT,
    "negative_reconstructor_circuit": [[[1], [-1]], [[-1, 1]]],
    "identity": RECONSTRUCT,
    "negative_identity": [[[1], [-1]], [[-1, 1]]],
    "absolute_value": [[[1], [-1]], [[1, 1]]],
    "addition": [[[1, 1], [-1, -1]], [[1, -1]]],
    "subtraction": [[[1, -1], [-1, 1]], [[1, -1]]],
    "minimum": MINIMUM,
    "minimum_mirror": [[[-1, 1], [0, 1], [0, -1]], [[-1, 1, -1]]],
    "minimum_two_layers": [[[1, -1], [1, 0], [-1, 0]], [[-1, 1, -1], [1, -1, 1]], [[1, -1]]],
    "minimum_of_three": [
        [[-1, 0, 1], [0, -1, 1], [0, 0, -1], [0, 0, 1]],
        [[-1, 1, 0, 0], [1, 0, 1, -1], [-1, 0, -1, 1]],
        [[-1, -1, 1]],
    ],
    "minimum_of_four": [
        [[1, -1, 0, 0], [1, 0, 0, 0], [-1, 0, 0, 0], [0, 0, 1, -1], [0, 0, 1, 0], [0, 0, -1, 0]],
        [[-1, 1, -1, 1, -1, 1], [-1, 1, -1, 0, 0, 0], [1, -1, 1, 0, 0, 0]],
        [[-1, 1, -1]],
    ],
    "maximum_of_five": [
        [
            [1, 0, 0, 0, -1],
            [0, 1, 0, 0, -1],
            [0, 0, 1, 0, -1],
            [0, 0, 0, 1, -1],
            [1, -1, 0, 0, 0],
            [0, 0, 1, -1, 0],
            [0, -1, 0, 0, 1],
            [0, 0, 0, -1, 1],
            [0, 0, 0, 0, 1],
            [0, 0, 0, 0, -1],
        ],
        [
            [0, 1, 0, 0, 1, 0, -1, 0, 0, 0],
            [0, 0, 0, 1, 0, 1, 0, -1, 0, 0],
            [0, 1, 0, -1, 1, -1, -1, 1, 0, 0],
            [1, -1, 1, -1, 0, 0, 0, 0, 0, 0],
            [-1, 1, 0, 0, 1, -1, -1, 1, 0, 0],
            [0, 0, 1, -1, 1, -1, -1, 1, 0, 0],
            [-HALF, 0, 0, HALF, 0, 0, 0, 0, 1, -1],
            [HALF, 0, 0, -HALF, 0, 0, 0, 0, -1, 1],
        ],
        [[HALF, HALF, 1, HALF, -HALF, -HALF, 1, -1]],
    ],
}
NAMES = {
    "greaterness_detector": (("greaterness",),),
    "negative_reconstructor": (("negativeness",),),
    "identity": (("positiveness", "negativeness"),),
    "subtraction": (("greaterness", "greaterness"),),
    "minimum": (("greaterness", "positiveness", "negativeness"),),
    "minimum_two_layers": (("greaterness", "positiveness", "negativeness"), ("positiveness", "negativeness")),
    "minimum_of_three": (
        ("greaterness", "greaterness", "negativeness", "positiveness"),
        ("greaterness", "positiveness", "negativeness"),
    ),
}
# Each has tests of its own.
NOT_TYPED = {"linear", "minimum_of", "sum_of_maxima", "maximum_of_six", "tent", "sawtooth", "square", "multiplication"}
# By counting: each pair in a round costs three units, an odd number out two.
TOURNAMENTS = {
    2: (2, 3, 1),
    3: (3, 5, 3, 1),
    4: (4, 6, 3, 1),
    5: (5, 8, 5, 3, 1),
    6: (6, 9, 5, 3, 1),
    7: (7, 11, 6, 3, 1),
    8: (8, 12, 6, 3, 1),
    9: (9, 14, 8, 5, 3, 1),
}


def rationals(seed, n):
    generator = random.Random(seed)
    return [Fraction(generator.randint(-60, 60), generator.randint(1, 9)) for _ in range(n)]


def test_every_circuit_of_the_library_is_typed_by_hand_here():
    made_here = inspect.getmembers(circuits, lambda f: inspect.isfunction(f) and f.__module__ == circuits.__name__)
    assert {name for name, _ in made_here} == BY_HAND.keys() | NOT_TYPED


@pytest.mark.parametrize("name", BY_HAND)
def test_circuit_is_the_one_typed_by_hand(name):
    circuit = getattr(circuits, name)()
    assert [w.tolist() for w in circuit.weights] == BY_HAND[name]
    assert circuit.exact and circuit.bias_free


@pytest.mark.parametrize("name", BY_HAND)
def test_every_hidden_unit_is_named(name):
    circuit = getattr(circuits, name)()
    assert circuit.names == NAMES.get(name, circuit.names)
    assert {unit for layer in circuit.names for unit in layer} <= {"positiveness", "negativeness", "greaterness"}
    assert [len(layer) for layer in circuit.names] == [len(w) for w in BY_HAND[name][:-1]]


def test_minimum_is_assembled_from_features():
    greater = circuits.greaterness_detector()
    up, down = circuits.positive_reconstructor(), circuits.negative_reconstructor()
    first = circuits.linear([1, 0])
    assert [w.tolist() for w in (-greater + (up + down) @ first).weights] == MINIMUM
    assert circuits.minimum() @ (circuits.minimum() | circuits.minimum()) == circuits.minimum_of_four()


@pytest.mark.parametrize("n", TOURNAMENTS)
def test_tournament(n):
    circuit = circuits.minimum_of(n)
    assert circuit.widths == TOURNAMENTS[n]
    assert len(circuit.names) == sympy.ceiling(sympy.log(n, 2))
    assert all(unit for layer in circuit.names for unit in layer)
    for seed in range(20):
        x = rationals(seed, n)
        assert circuit(*x) == min(x)


def test_tournaments_of_two_and_four_are_the_circuits_of_that_name():
    assert circuits.minimum_of(2) == circuits.minimum()
    assert circuits.minimum_of(4) == circuits.minimum_of_four()


def test_maximum_of_six_is_made_of_the_same_parts():
    circuit = circuits.maximum_of_six()
    assert circuit.widths == (6, 17, 68, 1) and circuit.exact and circuit.bias_free
    assert circuit.names == tuple(("greaterness",) * n + ("positiveness", "negativeness") for n in (15, 66))


def test_sum_of_maxima_is_that_sum():
    terms = [(1, ["13", "22"], ["23", "33"]), (Fraction(-3, 4), ["12"], ["23"])]
    network = circuits.sum_of_maxima(HALF, terms, ["12", "13", "23"], ["23"])
    for seed in range(20):
        x = rationals(seed, 3)
        m12, m13, m23 = max(x[0], x[1]), max(x[0], x[2]), max(x[1], x[2])
        wanted = max(m13 + x[1], m23 + x[2]) - Fraction(3, 4) * max(m12, m23)
        assert network(*x) == wanted / 2


def fractions_between(low, high, seed=0):
    generator = random.Random(seed)
    return [low + (high - low) * Fraction(generator.randint(0, 5040), 5040) for _ in range(40)]


@pytest.mark.parametrize("teeth", [1, 2, 4, 32])
def test_sawtooth_goes_up_and_down(teeth):
    network = circuits.sawtooth(teeth)
    assert network.widths == (1, *[2] * teeth.bit_length(), 1)
    for x in fractions_between(0, 1):
        assert network(x) == 1 - abs(2 * (x * teeth % 1) - 1)


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_square_is_the_chords_of_the_square(depth):
    network, step = circuits.square(depth), Fraction(1, 2**depth)
    assert network.widths == (1, 2, *[3] * (depth - 1), 1)
    for x in fractions_between(0, 1):
        a = x // step * step
        assert network(x) == a**2 + (x - a) * (a + a + step)
        assert 0 <= network(x) - x**2 <= Fraction(1, 4 ** (depth + 1))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_multiplication_keeps_its_bound(depth):
    network, bound = circuits.multiplication(depth), Fraction(1, 4 ** (depth + 1))
    assert network.widths == (2, 4, 4, *[6] * (depth - 1), 1)
    for x1, x2 in zip(fractions_between(-1, 1), fractions_between(-1, 1, seed=1), strict=True):
        assert abs(network(x1, x2) - x1 * x2) <= bound
        assert network(x1, 0) == network(0, x2) == 0
    middle = Fraction(1, 2 ** (depth + 1))
    assert network(middle, middle) - middle**2 == -(network(middle, -middle) + middle**2) == bound


@pytest.mark.parametrize("teeth", [-2, 0, 3, 12])
def test_sawtooth_of_other_numbers(teeth):
    with pytest.raises(ValueError, match=f"{teeth} teeth were asked for; wanted a power of two"):
        circuits.sawtooth(teeth)


@pytest.mark.parametrize("circuit", [circuits.square, circuits.multiplication])
def test_depth_below_one(circuit):
    with pytest.raises(ValueError, match="depth 0 was asked for; wanted at least 1"):
        circuit(0)


def test_two_layers_merge_to_the_minimum():
    merged = merge_layers(circuits.minimum_two_layers())
    assert [w.tolist() for w in merged.weights] == MINIMUM
    assert merged.names == circuits.minimum().names


@pytest.mark.parametrize("n", [-1, 0, 1])
def test_minimum_of_too_few(n):
    with pytest.raises(ValueError, match=f"the minimum of {n} .* wanted two or more"):
        circuits.minimum_of(n)


# The functions that the circuits compute

PLAIN = {
    "identity": lambda x: x,
    "negative_identity": lambda x: -x,
    "absolute_value": abs,
    "addition": lambda x1, x2: x1 + x2,
    "subtraction": lambda x1, x2: x1 - x2,
    "minimum": min,
    "minimum_of_three": min,
    "minimum_of_four": min,
    "maximum_of_five": max,
    "maximum_of_six": max,
}
SYMPY = {r"\min": "Min", r"\max": "Max", "|x|": "Abs(x)", "x_": "x"}


def test_every_function_is_tested():
    assert PLAIN.keys() == FUNCTIONS.keys()
    assert all(name == f.name for name, f in FUNCTIONS.items())


@pytest.mark.parametrize("name", PLAIN)
def test_function_in_all_its_evaluations(name):
    f = FUNCTIONS[name]
    for seed in range(20):
        x = rationals(seed, f.arity)
        assert f(*x) == PLAIN[name](*x) and type(f(*x)) is Fraction
        assert f(*map(float, x)) == PLAIN[name](*map(float, x)) and type(f(*map(float, x))) is np.float64
    batch = f.sample(np.random.default_rng(0), 50)
    wanted = [PLAIN[name](*row) for row in batch.tolist()]
    assert f(*batch.T).tolist() == f(*torch.from_numpy(batch).T).tolist() == wanted


@pytest.mark.parametrize("name", PLAIN)
def test_formula_read_by_sympy_is_the_function(name):
    f, formula = FUNCTIONS[name], FUNCTIONS[name].formula
    for tex, plain in SYMPY.items():
        formula = formula.replace(tex, plain)
    symbols = sympy.symbols("x" if f.arity == 1 else f"x1:{f.arity + 1}", seq=True)
    for seed in range(10):
        x = rationals(seed, f.arity)
        values = {symbol: sympy.Rational(v.numerator, v.denominator) for symbol, v in zip(symbols, x, strict=True)}
        assert sympy.sympify(formula).subs(values) == sympy.Rational(*f(*x).as_integer_ratio())


@pytest.mark.parametrize("name", PLAIN)
def test_circuit_has_the_widths_of_its_function_and_computes_it(name):
    circuit, f = getattr(circuits, name)(), FUNCTIONS[name]
    assert circuit.widths == f.widths and circuit.arity == f.arity
    for seed in range(20):
        x = rationals(seed, f.arity)
        assert circuit(*x) == PLAIN[name](*x)


def test_gradient_of_circuit_is_gradient_of_function():
    for name, f in FUNCTIONS.items():
        x = torch.from_numpy(f.sample(np.random.default_rng(1), 20)).requires_grad_()
        module = getattr(circuits, name)().to_torch()
        (ours,) = torch.autograd.grad(module(x).sum(), x)
        (theirs,) = torch.autograd.grad(f(*x.T).sum(), x)
        assert (ours - theirs).abs().max() <= (1e-12 if name == "maximum_of_six" else 0)  # twelfths are rounded


def test_exact_values_do_not_overflow():
    assert FUNCTIONS["addition"](np.int64(2**62), np.int64(2**62)) == 2**63


def test_samples_are_uniform_on_their_interval():
    f = Function("shifted", 2, "x_1", lambda m, x1, x2: x1, (2, 2, 1), low=1, high=3)
    x = f.sample(np.random.default_rng(0), 10_000)
    assert x.shape == (10_000, 2) and x.min() >= 1 and x.max() <= 3
    assert abs(x.mean(axis=0) - 2).max() < 0.03 and abs(x.var(axis=0) - 1 / 3).max() < 0.02


def test_wrong_number_of_inputs():
    with pytest.raises(ValueError, match="1 inputs were given; minimum takes 2"):
        FUNCTIONS["minimum"](1)


def test_linear_is_a_matrix():
    assert circuits.linear([1, 2], [3, 4])(5, 6) == (17, 39)
    assert circuits.linear([1, 2]) == Network([[[1, 2]]])
