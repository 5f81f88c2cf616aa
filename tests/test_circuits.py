"""The library of circuits, held against matrices typed by hand, and functions against plain Python, sympy and torch."""

import inspect
import itertools
import math
import random
import re
from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch
from plain import PLAIN

from mathcircuits import FUNCTIONS, Function, Network, circuits, merge_layers
from mathcircuits.functions import BITS

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
    "relu": [[[1]], [[1]]],
    "leaky_relu": [[[1], [-1]], [[1, -HALF / 2]]],
    "maximum": [[[-1, 1], [1, 0], [-1, 0]], [[1, 1, -1]]],
    "distance": [[[1, -1], [-1, 1]], [[1, 1]]],
    "absolute_sum": [[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]],
    "absolute_maximum": [[[1, 1], [-1, -1], [1, -1], [-1, 1]], [[HALF, HALF, HALF, HALF]]],
    "positive_maximum": [[[1, 0], [0, 1]], [[1, 0], [-1, 1]], [[1, 1]]],
    "clip": [[[1], [1]], [[1, -1]]],
    "soft_threshold": [[[1], [-1]], [[1, -1]]],
    "sort_two": [[[1, -1], [-1, 1], [1, 0], [-1, 0]], [[-1, 0, 1, -1], [0, 1, 1, -1]]],
    "median_of_three": [
        [[1, -1, 0], [1, 0, 0], [-1, 0, 0], [-1, 0, 1], [0, -1, 1]],
        [[0, 0, 0, -1, 1], [-1, 1, -1, 1, -1], [1, -1, 1, -1, 1]],
        [[2, 1, -1]],
    ],
    "sort_three": [
        [[1, -1, 0], [-1, 1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1]],
        [
            [1, 0, -1, 1, 1, -1],
            [0, 1, 1, -1, -1, 1],
            [1, 0, 0, 2, 1, 0],
            [0, 1, 2, 0, 0, 1],
            [1, 0, 0, 2, 0, 1],
        ],
        [[-1, 0, 1, 0, -1], [1, -1, -1, 1, 0], [0, 1, 1, 0, -1]],
    ],
    "step": [[[1], [1]], [[1, -1]]],
    "indicator": [[[1], [1], [1]], [[1, -2, 1]]],
    "if_then_else": [[[2, 1, 0], [-2, 0, 1]], [[1, 1]]],
    "logical_and": [[[1, 1]], [[1]]],
    "logical_or": [[[-1, -1]], [[-1]]],
    "logical_xor": [[[1, -1], [-1, 1]], [[1, 1]]],
    "parity_of_three": [[[1, 1, 1], [1, 1, 1], [1, 1, 1]], [[1, -2, 2]]],
    "majority": [[[1, 1, 1], [1, 1, 1]], [[1, -1]]],
    "multiplexer": [[[1, 1, 0], [-1, 0, 1]], [[1, 1]]],
    "full_adder": [[[1, 1, 1], [1, 1, 1], [1, 1, 1]], [[1, -2, 2], [0, 1, -1]]],
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
    "tent": [[[1], [1]], [[2, -4]]],
}
BIASES = {
    "clip": [[0, -1], [0]],
    "soft_threshold": [[-1, -1], [0]],
    "step": [[1, 0], [0]],
    "indicator": [[1, 0, -1], [0]],
    "if_then_else": [[-1, 1], [-1]],
    "logical_and": [[-1], [0]],
    "logical_or": [[1], [1]],
    "parity_of_three": [[0, -1, -2], [0]],
    "majority": [[-1, -2], [0]],
    "multiplexer": [[-1, 0], [0]],
    "full_adder": [[0, -1, -2], [0, 0]],
    "tent": [[0, -HALF], [0]],
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
    by_number = {"minimum_of", "maximum_of", "levels_of", "parity_of", "ripple_carry_adder"}
    by_number |= {"sawtooth", "square", "multiplication", "absolute_values_in_six"}
    others = {"linear", "assemble", "sum_of_maxima", "maximum_of_six"}  # each has tests of its own
    assert {name for name, _ in made_here} == BY_HAND.keys() | by_number | others


@pytest.mark.parametrize("name", BY_HAND)
def test_circuit_is_the_one_typed_by_hand(name):
    circuit = getattr(circuits, name)()
    assert [w.tolist() for w in circuit.weights] == BY_HAND[name]
    zeros = [[0] * len(w) for w in circuit.weights]
    assert circuit.exact and [b.tolist() for b in circuit.biases] == BIASES.get(name, zeros)


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


def test_two_layers_merge_to_the_minimum():
    merged = merge_layers(circuits.minimum_two_layers())
    assert [w.tolist() for w in merged.weights] == MINIMUM
    assert merged.names == circuits.minimum().names


@pytest.mark.parametrize("n", [-1, 0, 1])
def test_minimum_of_too_few(n):
    with pytest.raises(ValueError, match=f"^n {n} was given; wanted an integer of at least 2$"):
        circuits.minimum_of(n)


def test_maximum_of_several():
    for n in range(2, 8):
        circuit = circuits.maximum_of(n)
        assert circuit.widths == TOURNAMENTS[n] and all(unit for layer in circuit.names for unit in layer)
        for seed in range(20):
            assert circuit(*rationals(seed, n)) == max(rationals(seed, n))
    with pytest.raises(ValueError, match="^n 1 was given; wanted an integer of at least 2$"):
        circuits.maximum_of(1)


@pytest.mark.parametrize("n", range(1, 7))
def test_circuits_of_n_bits(n):
    levels, parity = circuits.levels_of(n), circuits.parity_of(n)
    assert (levels.widths, parity.widths) == ((n, n, n), (n, n, 1))
    assert n == 1 or {*parity.names[0]} == {"positiveness"}
    for bits in itertools.product((0, 1), repeat=n):
        level = levels(*bits) if n > 1 else (levels(*bits),)
        assert level == tuple(max(sum(bits) - k, 0) for k in range(n))
        assert parity(*bits) == bits.count(1) % 2


@pytest.mark.parametrize("n", range(1, 5))
def test_ripple_carry_adder_adds(n):
    adder = circuits.ripple_carry_adder(n)
    # By counting: adder k of n has k - 1 bits before it, 2 (n - k) after it and three units of its own.
    assert adder.widths == (2 * n + 1, *(k - 1 + 3 + 2 * (n - k) for k in range(1, n + 1)), n + 1)
    for a, b, carry in itertools.product(range(2**n), range(2**n), (0, 1)):
        bits = [carry] + [number >> k & 1 for k in range(n) for number in (a, b)]
        outputs = adder(*bits)
        assert sum(int(bit) << k for k, bit in enumerate(outputs)) == a + b + carry and {*outputs} <= {0, 1}


def test_sorting_is_compare_and_swap():
    """Three comparators in a row sort three numbers, in three layers: the circuit does it in two."""
    swap, wire = circuits.sort_two(), circuits.reconstructor_circuit()
    network = (swap | wire) @ (wire | swap) @ (swap | wire)
    assert network.widths == (3, 6, 6, 6, 3)
    for seed in range(50):
        assert network(*rationals(seed, 3)) == circuits.sort_three()(*rationals(seed, 3))


def test_assembled_networks_are_their_definitions():
    def definition(m, x1, x2, x3):
        return 1 - m.maximum(m.abs(x1 - 2 * x2), Fraction(1, 3) * x3 + 1) - m.minimum(x1, m.minimum(-x2, x3 - 1))

    network = circuits.assemble(definition, 3)
    for seed in range(50):
        a, b, c = rationals(seed, 3)
        assert network(a, b, c) == 1 - max(abs(a - 2 * b), c / 3 + 1) - min(a, -b, c - 1)
    assert {unit for layer in network.names for unit in layer} == {"positiveness", "negativeness", "greaterness"}
    assert circuits.assemble(FUNCTIONS["minimum"].definition, 2) == circuits.minimum()
    assert circuits.assemble(lambda m, x: 2 * x + 1, 1) == Network([[[2]]], [[1]])


def test_sum_of_maxima_is_that_sum():
    terms = [(1, ["13", "22"], ["23", "33"]), (Fraction(-3, 4), ["12"], ["23"])]
    network = circuits.sum_of_maxima(HALF, terms, ["12", "13", "23"], ["23"])
    for seed in range(20):
        a, b, c = rationals(seed, 3)
        wanted = max(max(a, c) + b, max(b, c) + c) - Fraction(3, 4) * max(a, b, c)
        assert network(a, b, c) == wanted / 2


def test_maximum_of_six_is_made_of_the_same_parts():
    circuit = circuits.maximum_of_six()
    assert circuit.widths == (6, 17, 68, 1) and circuit.exact and circuit.bias_free
    assert circuit.names == tuple(("greaterness",) * n + ("positiveness", "negativeness") for n in (15, 66))


# What is right, or nearly right, on an interval

GRID = [Fraction(k, 77) for k in range(78)]


@pytest.mark.parametrize("teeth", [1, 2, 4, 32])
def test_sawtooth_goes_up_and_down(teeth):
    network = circuits.sawtooth(teeth)
    assert network.widths == (1, *[2] * teeth.bit_length(), 1)
    assert all(network(x) == 1 - abs(2 * (x * teeth % 1) - 1) for x in GRID)


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_square_is_the_chords_of_the_square(depth):
    network, step = circuits.square(depth), Fraction(1, 2**depth)
    assert network.widths == (1, 2, *[3] * (depth - 1), 1)
    for x in GRID:
        a = x // step * step
        assert network(x) == a**2 + (x - a) * (a + a + step)
        assert 0 <= network(x) - x**2 <= Fraction(1, 4 ** (depth + 1))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_multiplication_keeps_its_bound(depth):
    network, bound = circuits.multiplication(depth), Fraction(1, 4 ** (depth + 1))
    assert network.widths == (2, 4, 4, *[6] * (depth - 1), 1)
    for a, b in itertools.product([Fraction(k, 7) for k in range(-7, 8)], repeat=2):
        assert abs(network(a, b) - a * b) <= bound
        assert network(a, 0) == network(0, b) == 0
    middle = Fraction(1, 2 ** (depth + 1))
    assert network(middle, middle) - middle**2 == -(network(middle, -middle) + middle**2) == bound


@pytest.mark.parametrize("teeth", [-2, 0, 3, 12])
def test_sawtooth_of_other_numbers(teeth):
    with pytest.raises(
        ValueError, match=f"^the number of teeth {teeth} was given; wanted (a power of two|an integer of at least 1)$"
    ):
        circuits.sawtooth(teeth)


@pytest.mark.parametrize("circuit", [circuits.square, circuits.multiplication])
def test_depth_below_one(circuit):
    with pytest.raises(ValueError, match="^depth 0 was given; wanted an integer of at least 1$"):
        circuit(0)


# The functions that the circuits compute

SYMPY = {
    r"\min": "Min",
    r"\max": "Max",
    r"\land": "&",
    r"\lor": "|",
    r"\oplus": "^",
    r"\geq": ">=",
    " = ": "==",
    "x_": "x",
}
# Their formulas are words, and are read by people.
WORDS = {"median_of_three", "sort_two", "sort_three", "full_adder", "if_then_else", "multiplexer", "indicator"}
REAL = [name for name, f in FUNCTIONS.items() if f.domain is None]


def inputs_of(name, seed):
    """Rational numbers of the function's domain."""
    f, generator = FUNCTIONS[name], random.Random(seed)
    if f.domain is None:
        return rationals(seed, f.arity)
    chosen = [generator.choice(intervals) for intervals in f.domain]
    ends = [(max(low, -9), min(high, 9)) for low, high in chosen]
    return [low + (high - low) * Fraction(generator.randint(0, 12), 12) for low, high in ends]


def test_every_function_is_tested():
    assert PLAIN.keys() == FUNCTIONS.keys()
    assert all(name == f.name for name, f in FUNCTIONS.items())


@pytest.mark.parametrize("name", PLAIN)
def test_function_in_all_its_evaluations(name):
    f = FUNCTIONS[name]
    one = f.widths[-1] == 1
    for seed in range(20):
        x = inputs_of(name, seed)
        exact, rounded = f(*x), f(*map(float, x))
        assert exact == PLAIN[name](*x) and rounded == PLAIN[name](*map(float, x))
        assert {type(v) for v in ([exact] if one else exact)} == {Fraction}
        assert {type(v) for v in ([rounded] if one else rounded)} == {np.float64}
    batch = f.sample(np.random.default_rng(0), 50)
    wanted = np.array([PLAIN[name](*row) for row in batch.tolist()]).T.tolist()
    by_numpy, by_torch = f(*batch.T), f(*torch.from_numpy(batch).T)
    assert {v.dtype for v in ([by_torch] if one else by_torch)} == {torch.float64}
    if one:
        by_numpy, by_torch = [by_numpy], [by_torch]
        wanted = [wanted]
    assert [v.tolist() for v in by_numpy] == [v.tolist() for v in by_torch] == wanted


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in WORDS])
def test_formula_read_by_sympy_is_the_function(name):
    f, formula = FUNCTIONS[name], FUNCTIONS[name].formula
    for tex, plain in SYMPY.items():
        formula = formula.replace(tex, plain)
    formula = re.sub(r"\|(\w[^|&]*)\|", r"Abs(\1)", formula).strip("[]")
    symbols = sympy.symbols("x" if f.arity == 1 else f"x1:{f.arity + 1}", seq=True)
    logic = bool(re.search(r"land|lor|oplus", f.formula))
    for seed in range(10):
        x = inputs_of(name, seed)
        rational = [bool(v) if logic else sympy.Rational(*v.as_integer_ratio()) for v in x]
        value = sympy.sympify(formula, convert_xor=False).subs(dict(zip(symbols, rational, strict=True)))
        assert (int(bool(value)) if value in (True, False) else value) == sympy.Rational(*f(*x).as_integer_ratio())


@pytest.mark.parametrize("name", PLAIN)
def test_circuit_has_the_widths_of_its_function_and_computes_it(name):
    circuit, f = getattr(circuits, name)(), FUNCTIONS[name]
    assert circuit.widths == f.widths and circuit.arity == f.arity
    for seed in range(20):
        x = inputs_of(name, seed)
        assert circuit(*x) == PLAIN[name](*x)


@pytest.mark.parametrize("name", REAL)
def test_gradient_of_circuit_is_gradient_of_function(name):
    f = FUNCTIONS[name]
    x = torch.from_numpy(f.sample(np.random.default_rng(1), 20)).requires_grad_()
    outputs = getattr(circuits, name)().to_torch()(x).T
    values = f(*x.T) if f.widths[-1] > 1 else [f(*x.T)]
    for output, value in zip(outputs, values, strict=True):
        (ours,) = torch.autograd.grad(output.sum(), x, retain_graph=True)
        (theirs,) = torch.autograd.grad(value.sum(), x, retain_graph=True)
        assert abs(ours - theirs).max() <= (1e-12 if name == "maximum_of_six" else 0)  # its twelfths are rounded


def test_exact_values_do_not_overflow():
    assert FUNCTIONS["addition"](np.int64(2**62), np.int64(2**62)) == 2**63


def test_samples_are_uniform_on_their_interval():
    f = Function("shifted", 2, "x_1", lambda m, x1, x2: x1, (2, 2, 1), low=1, high=3)
    x = f.sample(np.random.default_rng(0), 10_000)
    assert x.shape == (10_000, 2) and x.min() >= 1 and x.max() <= 3
    assert abs(x.mean(axis=0) - 2).max() < 0.03 and abs(x.var(axis=0) - 1 / 3).max() < 0.02


def test_samples_and_grid_lie_in_the_domain():
    gap = ((-math.inf, -1), (0, math.inf))
    domain = (BITS, gap, ((2, 5),), ((7, 7),))
    f = Function("somewhere", 4, "x_1", lambda m, x1, *others: x1, (4, 2, 1), low=-3, high=4, domain=domain)
    x = f.sample(np.random.default_rng(0), 30_000)
    assert x.shape == (30_000, 4)
    assert {*x[:, 0].tolist()} == {0, 1} and abs(x[:, 0].mean() - 1 / 2) < 0.02
    left, right = x[x[:, 1] < 0, 1], x[x[:, 1] >= 0, 1]
    assert -3 <= left.min() < left.max() <= -1 and 0 <= right.min() < right.max() <= 4
    assert abs(len(left) - 15_000) < 300 and abs(left.mean() + 2) < 0.02 and abs(right.mean() - 2) < 0.05
    assert 2 <= x[:, 2].min() and 3.99 < x[:, 2].max() <= 4 and (x[:, 3] == 7).all()
    correlation = np.corrcoef(x[:, :3].T)
    assert abs(correlation - np.eye(3)).max() < 0.03
    grid = f.grid(4**4)
    assert [{*column.tolist()} for column in grid.T] == [
        {0, 1},
        {-2.75, -2.25, -1.75, -1.25, 0.5, 1.5, 2.5, 3.5},
        {2.25, 2.75, 3.25, 3.75},
        {7},
    ]
    assert len(grid) == len(np.unique(grid, axis=0)) == 2 * 8 * 4


@pytest.mark.parametrize("domain", [(), (BITS,), (BITS,) * 3, (BITS, ()), (BITS, ((2, 5),)), (BITS, ((1, 0),))])
def test_domain_that_does_not_fit(domain):
    with pytest.raises(ValueError, match=r"of product was given; wanted 2 sets of intervals that reach into \[-1, 1\]"):
        Function("product", 2, "", lambda m, x1, x2: x1, (2, 1), low=-1, high=1, domain=domain)


def test_wrong_number_of_inputs():
    with pytest.raises(ValueError, match="1 inputs were given; minimum takes 2"):
        FUNCTIONS["minimum"](1)


def test_linear_is_a_matrix():
    assert circuits.linear([1, 2], [3, 4])(5, 6) == (17, 39)
    assert circuits.linear([1, 2]) == Network([[[1, 2]]])
