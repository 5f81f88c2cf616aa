"""Proofs, held against a second decision procedure, against every broken circuit, and against linear programming.

The second procedure does not use z3. It cuts the space of inputs into simplicial cones on which network and function
are both linear, in exact arithmetic; two linear maps are equal on a cone if they are equal on its generators.
"""

import inspect
import itertools
import math
import re
from collections import Counter
from fractions import Fraction
from functools import cache, reduce

import numpy as np
import pytest
import torch
from plain import PLAIN
from scipy.optimize import linprog

from mathcircuits import FUNCTIONS, Function, Network, canonical, circuits, find_network, prove_equal, snap
from mathcircuits import proof as proof_module
from mathcircuits.functions import BITS

HALF, MINIMUM = Fraction(1, 2), FUNCTIONS["minimum"]


def gates(m, carry, *bits):
    """The sum of two numbers of several bits, by the gates of full adders."""
    sums = []
    for a, b in zip(bits[::2], bits[1::2], strict=True):
        s, carry = FUNCTIONS["full_adder"].definition(m, carry, a, b)
        sums.append(s)
    return (*sums, carry)


def added(carry, *bits):
    total = carry + sum(2**k * (a + b) for k, (a, b) in enumerate(zip(bits[::2], bits[1::2], strict=True)))
    return tuple(int(total) >> k & 1 for k in range(len(bits) // 2 + 1))


def bend(m, x1, x2):
    return 1 - m.maximum(m.abs(x1 + 1), 2 * x2) + m.minimum(x1, x2)


def chords(m, x, pieces):
    """x^2 at the multiples of 1/pieces, straight between: the largest of the lines through two neighbours."""
    lines = [(Fraction(2 * k + 1, pieces), Fraction(k * (k + 1), pieces**2)) for k in range(pieces)]
    return reduce(m.maximum, [slope * x - c for slope, c in lines])


def chord_at(x, pieces):
    a = x * pieces // 1 / Fraction(pieces)
    return a**2 + (x - a) * (a + a + Fraction(1, pieces))


UNIT = ((0, 1),)
# Parts, circuits of n inputs, and what the circuits that approximate are instead, are proved as functions of their own.
OWN = [
    Function("maximum_of_three", 3, "", lambda m, *x: reduce(m.maximum, x), (3, 5, 3, 1)),
    Function(
        "parity_of_four", 4, "", lambda m, *x: reduce(lambda a, b: m.abs(a - b), x), (4, 4, 1), domain=(BITS,) * 4
    ),
    Function("adder", 5, "", gates, (5, 5, 4, 3), domain=(BITS,) * 5),
    Function(
        "levels",
        3,
        "",
        lambda m, *x: tuple(m.maximum(sum(x) - k, 0 * x[0]) for k in range(3)),
        (3, 3, 3),
        domain=(BITS,) * 3,
    ),
    Function("bend", 2, "", bend, (2, 8, 3, 1)),
    Function("tent", 1, "", lambda m, x: m.minimum(2 * x, 2 - 2 * x), (1, 2, 1), domain=(UNIT,)),
    Function(
        "two teeth",
        1,
        "",
        lambda m, x: m.maximum(1 - m.abs(4 * x - 1), 1 - m.abs(4 * x - 3)),
        (1, 2, 2, 1),
        domain=(UNIT,),
    ),
    Function("eight chords", 1, "", lambda m, x: chords(m, x, 8), (1, 2, 3, 3, 1), domain=(UNIT,)),
    Function(
        "product of chords",
        2,
        "",
        lambda m, a, b: chords(m, m.abs(a + b) / 2, 2) - chords(m, m.abs(a - b) / 2, 2),
        (2, 4, 4, 1),
        domain=(((-1, 1),),) * 2,
    ),
]
TRUTH = FUNCTIONS | {f.name: f for f in OWN}
VALUE = PLAIN | {
    "maximum_of_three": max,
    "parity_of_four": lambda *x: sum(x) % 2,
    "adder": added,
    "levels": lambda *x: tuple(max(sum(x) - k, 0) for k in range(3)),
    "bend": lambda a, b: 1 - max(a + 1, -a - 1, 2 * b) + min(a, b),
    "tent": lambda x: 1 - abs(2 * x - 1),
    "two teeth": lambda x: 1 - abs(2 * (2 * x % 1) - 1),
    "eight chords": lambda x: chord_at(x, 8),
    "product of chords": lambda a, b: chord_at(abs(a + b) / 2, 2) - chord_at(abs(a - b) / 2, 2),
}
FIVE, SIX = "maximum_of_five", "maximum_of_six"  # too large for what follows: they have a procedure of their own below
DERIVED = {name: (getattr(circuits, name)(), name) for name in FUNCTIONS if name not in (FIVE, SIX)} | {
    "minimum_mirror": (circuits.minimum_mirror(), "minimum"),
    "minimum_two_layers": (circuits.minimum_two_layers(), "minimum"),
    "tournament of three": (circuits.minimum_of(3), "minimum_of_three"),
    "maximum_of": (circuits.maximum_of(3), "maximum_of_three"),
    "parity_of": (circuits.parity_of(4), "parity_of_four"),
    "levels_of": (circuits.levels_of(3), "levels"),
    "ripple_carry_adder": (circuits.ripple_carry_adder(2), "adder"),
    "tent": (circuits.tent(), "tent"),
    "sawtooth": (circuits.sawtooth(2), "two teeth"),
    "square": (circuits.square(3), "eight chords"),
    "multiplication": (circuits.multiplication(1), "product of chords"),
}
# The weights that do nothing, as (matrix, row, column): each may be any number up to the one given. Where what it
# multiplies is not zero, its unit is off, and stays off. Two reasons occur. It reads one half of a reconstructor: where
# that half is on, the other is off, and the unit has nothing else to be on for, as in relu(relu(z) - c relu(-z) -
# ...). Or its unit reads a bit, and where that is 1, it is off already.
FREE = {
    "minimum_two_layers": {(1, 0, 2): 0},
    "minimum_of_three": {(1, 2, 2): 0},
    "minimum_of_four": {(1, 1, 2): 0},
    "tournament of three": {(1, 1, 2): 0},
    "maximum_of": {(1, 1, 2): 0},
    "if_then_else": {(0, 1, 0): -2},
    "logical_or": {(0, 0, 0): -1, (0, 0, 1): -1},
    "logical_xor": {(0, 0, 1): -1, (0, 1, 0): -1},
    "multiplexer": {(0, 1, 0): -1},
}


# The second decision procedure


def sums(network, point, one=1):
    """Evaluate in plain Python: the sums into every unit, layer by layer, for inputs in homogeneous coordinates."""
    layers = [list(point)]
    for w, b in zip(network.weights, network.biases, strict=True):
        values = layers[-1] if len(layers) == 1 else [max(v, 0) for v in layers[-1]]
        rows = zip(w.tolist(), b.tolist(), strict=True)
        layers.append([sum(c * v for c, v in zip(row, values, strict=True)) + s * one for row, s in rows])
    return layers[1:]


def cut(kinks, cone):
    """Cut a simplicial cone into simplicial cones in which no kink changes sign."""
    for column in zip(*map(kinks, cone), strict=True):
        if min(column) < 0 < max(column):
            i, j = column.index(max(column)), column.index(min(column))
            between = tuple(column[i] * b - column[j] * a for a, b in zip(cone[i], cone[j], strict=True))
            yield from cut(kinks, [*cone[:i], between, *cone[i + 1 :]])
            yield from cut(kinks, [*cone[:j], between, *cone[j + 1 :]])
            return
    yield cone


def orthants(n):
    """All of R^n: generators (1, 0) and (0, ±e_i), where the first coordinate is what a bias is multiplied by."""
    for signs in itertools.product((1, -1), repeat=n):
        yield [(1,) + (0,) * n] + [(0, *(s * (i == j) for j in range(n))) for i, s in enumerate(signs)]


def cones_of(name):
    """The domain of a function, cut into simplicial cones; a bounded interval goes with others into boxes."""
    f = TRUTH[name]
    if f.domain is None:
        return [*orthants(f.arity)]
    assert all(low == high for i in f.domain for low, high in i) or name in CONES
    return CONES.get(name) or [[(1, *p)] for p in itertools.product(*([low for low, _ in i] for i in f.domain))]


SQUARE = [[(1, -1, -1), (1, s, -s), (1, 1, 1)] for s in (1, -1)]
CONES = {
    "step": [[(1, -1), (0, -1)], [(1, 0), (0, 1)]],
    "indicator": [[(1, -1), (0, -1)], [(1, 0)], [(1, 1), (0, 1)]],
    "if_then_else": [[(1, s, -1, -1), (1, s, t, -t), (1, s, 1, 1)] for s in (0, 1) for t in (1, -1)],
    **dict.fromkeys(("tent", "two teeth", "eight chords"), [[(1, 0), (1, 1)]]),
    "product of chords": SQUARE,
}


def kinks(name, one, *x):
    """Terms that change sign wherever the function bends; more than that do no harm."""
    pairs = [*itertools.combinations(x, 2)]
    if TRUTH[name].arity == 1:
        return [8 * x[0] - k * one for k in range(-8, 9)]
    if name in ("absolute_sum", "absolute_maximum", "positive_maximum"):
        return [*x, *(a - b for a, b in pairs), *(a + b for a, b in pairs)]
    if name == "bend":
        return [x[0] + one, x[0] + one - 2 * x[1], x[0] + one + 2 * x[1], x[0] - x[1]]
    if name == "product of chords":
        return [s + k * one for k in (-1, 0, 1) for s in (x[0] + x[1], x[0] - x[1])]
    return [a - b for a, b in pairs]


def value_at(name, one, *x):
    """The value in homogeneous coordinates: where the first is 0, the slope in that direction, far out."""
    points = [[Fraction(v) / one for v in x]] if one else [[Fraction(k * v) for v in x] for k in (1000, 2000)]
    values = [v if isinstance(v, tuple) else (v,) for v in (VALUE[name](*p) for p in points)]
    return [v * one for v in values[0]] if one else [(b - a) / 1000 for a, b in zip(*values, strict=True)]


def really_equal(network, name, cones=None):
    @cache
    def signs(point):
        *hidden, _ = sums(network, point[1:], point[0])
        return [*itertools.chain(*hidden), *kinks(name, *point)]

    pieces = itertools.chain.from_iterable(cut(signs, cone) for cone in cones or cones_of(name))
    return all(sums(network, g[1:], g[0])[-1] == value_at(name, *g) for cone in pieces for g in cone)


def unit_is_unchanged(network, changed, layer, unit, name):
    """True if this hidden unit has the same value in both networks, on all of the domain."""

    @cache
    def signs(point):
        return [*itertools.chain(*(v for n in (network, changed) for v in sums(n, point[1:], point[0])[: layer + 1]))]

    pieces = itertools.chain.from_iterable(cut(signs, cone) for cone in cones_of(name))
    return all(
        len({max(0, sums(n, g[1:], g[0])[layer][unit]) for n in (network, changed)}) == 1
        for cone in pieces
        for g in cone
    )


@pytest.mark.parametrize(("name", "count"), [("absolute_value", 2), ("minimum", 4), ("minimum_of_four", 33)])
def test_second_procedure_finds_the_known_number_of_regions(name, count):
    network = circuits.__dict__[name]()
    signs = cache(lambda point: list(itertools.chain(*sums(network, point[1:], point[0])[:-1])))
    pieces = itertools.chain.from_iterable(cut(signs, cone) for cone in cones_of(name))
    assert len({tuple(sum(c) > 0 for c in zip(*map(signs, cone), strict=True)) for cone in pieces}) == count


# Circuits, whole and broken


def with_bias(network, layer, unit, value):
    biases = [b.copy() for b in network.biases]
    biases[layer][unit] = value
    return Network(network.weights, biases)


def changes(network):
    """Yield each network with one weight or bias changed by ±1 or ±1/2, to 0 or in sign, and what was changed."""
    for kind, arrays in (("weights", network.weights), ("biases", network.biases)):
        for k, array in enumerate(arrays):
            for where, old in np.ndenumerate(array):
                for new in {old + 1, old - 1, old + HALF, old - HALF, 0, -old} - {old}:
                    change = network.with_weight if kind == "weights" else lambda *a: with_bias(network, *a)
                    yield kind, (k, *where), new, change(k, *where, new)


def is_checked_counterexample(proof, network, name, within=None):
    """True if the point is in the domain, and plain exact evaluation gives the two unequal values that are stated."""
    here, there = sums(network, proof.counterexample)[-1], VALUE[name](*proof.counterexample)
    here = here[0] if len(here) == 1 else tuple(here)
    domain = within or TRUTH[name].domain or [((-math.inf, math.inf),)] * network.arity
    inside = all(
        any(low <= x <= high for low, high in intervals)
        for x, intervals in zip(proof.counterexample, domain, strict=True)
    )
    return inside and here != there and (here, there) == (proof.left, proof.right)


def test_every_circuit_of_the_library_is_derived_here():
    made_here = inspect.getmembers(circuits, lambda f: inspect.isfunction(f) and f.__module__ == circuits.__name__)
    parts = {name for name, _ in made_here if name.endswith(("_detector", "_reconstructor", "reconstructor_circuit"))}
    others = {"linear", "minimum_of", "sum_of_maxima", "assemble", "absolute_values_in_six"}
    assert {name for name, _ in made_here} - parts - DERIVED.keys() == others | {FIVE, SIX}


def test_assembled_network_is_proved():
    network = circuits.assemble(bend, 2)
    assert prove_equal(network, TRUTH["bend"]) and really_equal(network, "bend")
    changed = network.with_weight(0, 0, 0, 2)
    proof = prove_equal(changed, TRUTH["bend"])
    assert not proof and not really_equal(changed, "bend") and is_checked_counterexample(proof, changed, "bend")


@pytest.mark.parametrize("label", DERIVED)
def test_derived_circuit_is_proved(label):
    network, name = DERIVED[label]
    proof = prove_equal(network, TRUTH[name])
    where = "for all real inputs" if TRUTH[name].domain is None else "on "
    assert proof and str(proof).startswith(f"proved: the network equals {name} {where}")
    assert really_equal(network, name)


def test_every_changed_weight_is_refuted(capsys):
    count, equal = Counter(), set()
    for label, (network, name) in DERIVED.items():
        for kind, where, new, changed in changes(network):
            proof = prove_equal(changed, TRUTH[name])
            assert bool(proof) == really_equal(changed, name), (label, kind, where, new)
            if proof:
                equal.add((label, kind, where, new))
                assert unit_is_unchanged(network, changed, *where[:2], name), (label, kind, where, new)
            else:
                assert is_checked_counterexample(proof, changed, name), (label, kind, where, new)
                count[kind] += 1
    # What is left are the changes that change no function, and not even the unit that they are made to.
    assert equal == {
        (label, kind, where, new)
        for label in FREE
        for kind, where, new, _ in changes(DERIVED[label][0])
        if kind == "weights" and new <= FREE[label].get(where, -math.inf)
    }
    arrays = [a for network, _ in DERIVED.values() for a in network.weights + network.biases]
    tried = sum(len({v + 1, v - 1, v + HALF, v - HALF, 0, -v} - {v}) for a in arrays for v in a.flat)
    assert count.total() + len(equal) == tried
    with capsys.disabled():
        print(
            f"\n{count['weights'] + len(equal)} changed weights: {count['weights']} refuted, each with a checked "
            f"counterexample; {len(equal)} change no function, both procedures agree. "
            f"{count['biases']} changed biases: all refuted."
        )


@pytest.mark.parametrize(("label", "where"), [(label, where) for label in FREE for where in FREE[label]])
def test_free_weight_may_be_anything_up_to_its_bound(label, where):
    (network, name), bound = DERIVED[label], FREE[label][where]
    for more, free in [(-1000, True), (-HALF, True), (0, True), (Fraction(1, 1000), False), (1, False)]:
        changed = network.with_weight(*where, bound + more)
        assert bool(prove_equal(changed, TRUTH[name])) == really_equal(changed, name) == free


@pytest.mark.parametrize("label", ["absolute_value", "minimum", "minimum_of_four"])
def test_one_weight_off_by_one_bit_is_refuted(label):
    network, name = DERIVED[label]
    for k, w in enumerate(network.weights):
        for where, old in np.ndenumerate(w):
            changed = network.to_float().with_weight(k, *where, float(old) + 2.0**-52)
            proof = prove_equal(changed, FUNCTIONS[name])
            if (k, *where) not in FREE.get(label, {}):
                assert proof.status == "refuted" and is_checked_counterexample(proof, changed.to_exact(), name)


def test_learned_network_is_refuted_as_it_is_and_proved_when_snapped():
    torch.manual_seed(0)
    model = torch.nn.Sequential(*(torch.nn.Linear(*n, bias=False) for n in ((1, 2), (2, 1))))
    model.insert(1, torch.nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(500):
        x = torch.rand(100, 1) * 2 - 1
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), x).backward()
        optimizer.step()
    learned = Network.from_torch(model)
    proof = prove_equal(learned, FUNCTIONS["identity"])
    assert proof.status == "refuted" and is_checked_counterexample(proof, learned.to_exact(), "identity")
    assert prove_equal(snap(canonical(learned)).network, FUNCTIONS["identity"])


# Five and six numbers: the second procedure, chamber by chamber


def chambers(network):
    """Prove a maximum in every order of its inputs; return all corners of the pieces.

    The units of a pair relu(z), -relu(-z) that only carries z on are no bends. All others are flat: they do not change
    when all inputs grow alike, so (1, ..., 1) may be left out of the cutting.
    """
    (first, second, out), n = network.weights, network.arity
    assert (first[-1] == -first[-2]).all() and (second[:, -1] == -second[:, -2]).all()
    assert (second[-1] == -second[-2]).all() and out[0, -1] == -out[0, -2] and network.bias_free
    value = cache(lambda point: sums(network, point))
    signs = cache(lambda point: [v for layer in value(point)[:-1] for v in layer[:-2]])
    ones = (1,) * n
    assert not any(signs(ones)) and value(ones)[-1] == [1] and value(tuple(-1 for _ in ones))[-1] == [-1]
    corners = set()
    for order in itertools.permutations(range(n)):
        cone = [tuple(int(order.index(i) < k) for i in range(n)) for k in range(1, n)]
        for piece in cut(signs, cone):
            corners |= {*piece}
    assert all(value(point)[-1] == [max(point)] for point in corners)
    return [[int(v) // math.gcd(*map(int, point)) for v in point] for point in corners]


def test_maximum_of_five_is_proved_twice():
    assert prove_equal(circuits.maximum_of_five(), FUNCTIONS[FIVE])
    assert len(chambers(circuits.maximum_of_five())) > 2**5 - 2


def test_every_changed_weight_of_maximum_of_five_is_refuted():
    for *what, changed in changes(circuits.maximum_of_five()):
        proof = prove_equal(changed, FUNCTIONS[FIVE])
        assert not proof and is_checked_counterexample(proof, changed, FIVE), what


def test_maximum_of_six_is_proved_and_every_changed_weight_is_refuted():
    network = circuits.maximum_of_six()
    points = [*chambers(network), *np.random.default_rng(0).integers(-9, 10, (100, 6)).tolist()]
    points = np.array(points, dtype=float).T
    assert abs(points).max() < 1000
    scale = (2, 24, 24)  # whole numbers, also with 1/2 added: float64 holds them, their sums and products exactly
    whole = [(w * s).astype(float) for w, s in zip(network.weights, scale, strict=True)]
    assert all((w == s * v).all() for w, s, v in zip(whole, scale, network.weights, strict=True))
    wanted = math.prod(scale) * points.max(axis=0)

    def right():
        first, second, out = whole
        return (out @ np.maximum(second @ np.maximum(first @ points, 0), 0) == wanted).all()

    assert right()
    for k, w in enumerate(whole):
        for where, old in np.ndenumerate(w):
            for new in {old + scale[k], old - scale[k], old + scale[k] // 2, old - scale[k] // 2, 0, -old} - {old}:
                w[where] = new
                assert not right(), (k, *where, Fraction(int(new), scale[k]))
            w[where] = old


# Boxes, networks against networks, time

SHIFTED = Network([[[1]], [[1]]], [[1], [-1]])  # relu(x + 1) - 1
FLIPPED = Network([[[-1]], [[-1]]], [[1], [1]])  # 1 - relu(1 - x)
TWO_UNITS = Network([[[1, 0], [1, -1]], [[1, -1]]], [[1, 0], [-1]])  # relu(x1 + 1) - 1 - relu(x1 - x2)


@pytest.mark.parametrize(
    ("network", "name", "box", "cones"),
    [
        (SHIFTED, "identity", (-1, 1), [[(1, -1), (1, 1)]]),
        (SHIFTED, "identity", (-1, math.inf), [[(1, -1), (0, 1)]]),
        (FLIPPED, "identity", (-1, 1), [[(1, -1), (1, 1)]]),
        (FLIPPED, "identity", (-math.inf, Fraction(5, 4)), [[(0, -1), (1, Fraction(5, 4))]]),
        (SHIFTED, "identity", [(Fraction(-5, 4), 0)], [[(1, Fraction(-5, 4)), (1, 0)]]),
        (SHIFTED, "identity", (-math.inf, math.inf), None),
        (TWO_UNITS, "minimum", (-1, 1), SQUARE),
        (TWO_UNITS, "minimum", [(-1, 1), (-1, 1)], SQUARE),
        (TWO_UNITS, "minimum", (-2, 2), [[(g[0], 2 * g[1], 2 * g[2]) for g in cone] for cone in SQUARE]),
        (circuits.positiveness_detector(), "identity", (0, math.inf), [[(1, 0), (0, 1)]]),
    ],
)
def test_box(network, name, box, cones):
    proof = prove_equal(network, FUNCTIONS[name], box=box)
    assert bool(proof) == really_equal(network, name, cones)
    if not proof:
        pairs = [box] * network.arity if np.ndim(box) == 1 else box
        assert is_checked_counterexample(proof, network, name, [[pair] for pair in pairs])


def test_domain_is_part_of_the_claim():
    """What holds on the domain need not hold elsewhere, and a box takes its place."""
    for name in ("step", "indicator", "if_then_else", "logical_and", "parity_of_three"):
        circuit, f = getattr(circuits, name)(), FUNCTIONS[name]
        proof = prove_equal(circuit, f, box=(-math.inf, math.inf))
        assert proof.status == "refuted" and proof.left != proof.right
        inside = [
            any(low <= x <= high for low, high in intervals)
            for x, intervals in zip(proof.counterexample, f.domain, strict=True)
        ]
        assert not all(inside)
    assert prove_equal(circuits.step(), FUNCTIONS["step"], box=(0, math.inf)).claim.endswith("step on [0, ∞)")
    assert prove_equal(circuits.indicator(), FUNCTIONS["indicator"]).claim.endswith("on (-∞, -1] ∪ {0} ∪ [1, ∞)")
    assert prove_equal(circuits.full_adder(), FUNCTIONS["full_adder"]).claim.endswith("on {0, 1}^3")


def test_several_values_are_all_compared():
    for k in (0, 1):
        wrong = circuits.sort_two().with_weight(1, k, 2, 2)
        proof = prove_equal(wrong, FUNCTIONS["sort_two"])
        assert proof.left[k] != proof.right[k] and proof.left[1 - k] == proof.right[1 - k]
        assert proof.right == tuple(sorted(proof.counterexample))


def test_box_is_part_of_the_claim():
    assert str(prove_equal(SHIFTED, FUNCTIONS["identity"], box=(-1, 1))).endswith("equals identity on [-1, 1]")
    assert " on [-1, 1] × [0, 2]" in prove_equal(TWO_UNITS, FUNCTIONS["minimum"], box=[(-1, 1), (0, 2)]).claim


def test_network_against_network():
    assert prove_equal(circuits.minimum(), circuits.minimum_mirror())
    assert prove_equal(circuits.minimum_of_three(), circuits.minimum_of(3))
    proof = prove_equal(circuits.minimum(), circuits.addition())
    assert proof.left == min(proof.counterexample) != proof.right == sum(proof.counterexample)


def test_networks_of_several_outputs():
    maximum = -(circuits.minimum() @ circuits.linear([-1, 0], [0, -1]))
    copy = Network([[[1, 0], [0, 1], [1, 0], [0, 1]]])
    both = (circuits.minimum() | maximum) @ copy
    shared = Network([[[1, -1], [1, 0], [-1, 0], [0, 1], [0, -1]], [[-1, 1, -1, 0, 0], [1, 0, 0, 1, -1]]])
    assert prove_equal(both, shared)
    proof = prove_equal(both, shared.with_weight(1, 1, 0, 2))
    low, high = sorted(proof.counterexample)
    assert proof.left == (low, high) and proof.right[0] == low and proof.right[1] != high
    assert re.fullmatch(
        r"refuted: .*; at \(\S+, \S+\) the left side is \(\S+, \S+\), the right side \(.*\)", str(proof)
    )


def test_no_time_is_undecided():
    left = circuits.minimum_of(16)
    right = left @ Network([np.eye(16, dtype=int)[::-1]])
    proof = prove_equal(left, right, timeout=0.001)
    assert proof.status == "undecided" and not proof and str(proof).startswith("undecided: the network equals")
    assert prove_equal(left, right)


@pytest.mark.parametrize("timeout", [math.inf, 2**32 / 1000, 1e300, Fraction(60), np.float32(60)])
def test_any_time_above_zero(timeout):
    """2^32 milliseconds are none for z3, which counts in 32 bits."""
    assert prove_equal(circuits.minimum_of(8), circuits.minimum_of(8), timeout=timeout)


def test_a_box_of_numpy_or_torch():
    for box in (np.array([0, 2]), torch.tensor([0, 2]), (np.int64(0), np.float32(2)), [(np.int8(0), 2)]):
        assert prove_equal(circuits.positiveness_detector(), FUNCTIONS["identity"], box=box)
    domain = [[(np.int64(k), np.int64(k)) for k in (0, 1)]] * 2
    bits = Function("bits", np.int64(2), "", lambda m, a, b: m.minimum(a, b), np.array([2, 1, 1]), domain=domain)
    assert str(prove_equal(circuits.logical_and(), bits)) == "proved: the network equals bits on {0, 1} × {0, 1}"


def test_weights_of_5000_digits():
    big = 10**5000
    function = Function("f", 1, "", lambda m, x: big * x, (1, 1))
    assert prove_equal(Network([[[big]]]), function)
    proof = prove_equal(Network([[[big + 1]]]), function)
    assert not proof and proof.left - proof.right == proof.counterexample[0] != 0
    assert re.search(r" the left side is about -?\d\.\d{3}e\+\d{4}, the right side about ", str(proof))
    proof = prove_equal(
        Network([[[1]], [[1]]], [[Fraction(-1, big)], [0]]), circuits.positiveness_detector(), box=(0, big)
    )
    assert 0 < proof.counterexample[0] and proof.claim.endswith("on [0, about 1.000e+5000]")


GAPS = ((-math.inf, -1), (0, 0), (Fraction(1, 3), 2.5), (4, math.inf))


def test_points_at_which_proofs_are_checked():
    sets = (GAPS, BITS, ((-math.inf, math.inf),), ((-1, 1),), ((0.1, 0.1),))
    points, denominator = proof_module._points(sets, len(sets))
    values = [[Fraction(int(x), denominator) for x in row] for row in points]
    for row, intervals in zip(values, sets, strict=True):
        assert all(any(low <= x <= high for low, high in intervals) for x in row)
        assert all(any(low <= x <= high for x in row) for low, high in intervals)
        assert {end for pair in intervals for end in pair if abs(end) < math.inf} <= {*row}
    gaps, bits, real, unit, _ = values
    assert min(real) <= -8000 and max(real) >= 8000 and min(gaps) < -8000 and max(gaps) > 8000
    assert len({*gaps}) > 700 and len({*real}) > 700 and len({*unit}) > 500
    assert {Fraction(k, 2) for k in range(-6, 7)} <= {*real} and {-HALF, 0, HALF} <= {*unit}
    for a, b in itertools.combinations((gaps, real, unit), 2):
        assert sum(x == y != 0 for x, y in zip(a, b, strict=True)) > 20
        assert sum(x == -y != 0 for x, y in zip(a, b, strict=True)) > 20
    everywhere, _ = proof_module._points(None, 2)
    assert everywhere.dtype == np.int64 and everywhere.shape == (2, 2000) and points.dtype == object


def test_refutation_in_words():
    wrong = Network([[[1]], [[2]]])
    assert str(prove_equal(wrong, FUNCTIONS["identity"], box=(3, 3))) == (
        "refuted: the network equals identity on {3}; at 3 the left side is 6, the right side 3"
    )


# Networks that fit points


def fits(name, units, points):
    """Decide by linear programming, for each choice of outgoing signs and of units active at points, of f(points)."""
    arity = len(points[0])
    angles = np.linspace(0.001, 2 * np.pi, 1000)
    around = [(1,), (-1,)] if arity == 1 else np.column_stack([np.cos(angles), np.sin(angles)])
    cells = [np.array(cell) for cell in {tuple(bool(np.dot(w, p) > 0) for p in points) for w in around}]
    wanted = [PLAIN[name](*p) for p in points]
    p = np.array(points)
    for signs in itertools.product((1, -1), repeat=units):
        for active in itertools.combinations_with_replacement(cells, units):
            equal = np.hstack([s * cell[:, None] * p for s, cell in zip(signs, active, strict=True)])
            sides = np.vstack(
                [np.kron(np.eye(units)[j], np.where(c, -1, 1)[:, None] * p) for j, c in enumerate(active)]
            )
            bounds = [(None, None)] * equal.shape[1]
            if linprog(np.zeros(len(bounds)), sides, np.zeros(len(sides)), equal, wanted, bounds).status == 0:
                return True
    return False


@pytest.mark.parametrize(
    ("name", "units", "points", "found"),
    [
        ("identity", 1, [(1,), (-1,)], False),
        ("identity", 2, [(1,), (-1,)], True),
        ("negative_identity", 1, [(1,), (-1,)], False),
        ("absolute_value", 1, [(2,), (-3,)], False),
        ("addition", 1, [(1, 1), (-1, -1)], False),
        ("subtraction", 1, [(1, -1), (-1, 1)], False),
        ("subtraction", 2, [(1, -1), (-1, 1), (2, 1)], True),
        ("minimum", 2, [(1, 0), (0, 1), (-1, 0), (0, -1)], True),
        ("minimum", 2, [(1, 1), (-1, -1), (1, -1), (-1, 1)], False),
        ("minimum", 3, [(1, 1), (-1, -1), (1, -1), (-1, 1)], True),
    ],
)
def test_networks_that_fit_points_exist_or_not(name, units, points, found):
    assert fits(name, units, points) == found
    network = find_network(FUNCTIONS[name], units, points)
    assert (network is not None) == found
    if found:
        assert network.widths == (len(points[0]), units, 1) and network.bias_free
        assert all(sums(network, p)[-1] == [PLAIN[name](*p)] for p in points)


GRID = [(a, b) for a in range(-2, 3) for b in range(-2, 3)] + [(1, 3), (3, 1), (-1, -3), (-3, -1), (2, 3), (3, 2)]
GRID += [(-2, -3), (-3, -2), (-1, 3), (3, -1), (1, -3), (-3, 1)]


def test_minimum_has_two_smallest_networks_at_any_scale_and_order():
    theory, mirror = circuits.minimum(), circuits.minimum_mirror()
    for order in itertools.permutations(range(3)):
        scale = np.array([Fraction(3), Fraction(1, 2), Fraction(7)])
        moved = Network([(theory.weights[0] * scale[:, None])[list(order)], (theory.weights[1] / scale)[:, order]])
        found = find_network(FUNCTIONS["minimum"], 3, GRID, excluding=[moved])
        assert canonical(found) == canonical(mirror)
    assert find_network(FUNCTIONS["minimum"], 3, GRID, excluding=[mirror, moved]) is None
    assert find_network(FUNCTIONS["minimum"], 3, GRID, excluding=[mirror.to_float(), moved]) is None


def test_networks_of_other_signs_are_not_excluded():
    found = find_network(FUNCTIONS["identity"], 2, [(1,), (-1,)], excluding=[circuits.absolute_value()])
    assert canonical(found) == circuits.identity()


def fewest(name):
    """The fewest hidden units, with biases, that are right on all bits."""
    points = [*itertools.product((0, 1), repeat=FUNCTIONS[name].arity)]
    found = (find_network(FUNCTIONS[name], n, points, bias=True) for n in itertools.count())
    return next(network for network in found if network is not None), points


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor", "majority", "multiplexer"])
def test_gates_are_as_small_as_the_search_says(name):
    network, points = fewest(name)
    assert network.widths == FUNCTIONS[name].widths == getattr(circuits, name)().widths
    assert all(sums(network, p)[-1] == [PLAIN[name](*p)] for p in points)


def test_clip_has_two_smallest_networks_at_any_scale_and_order():
    points, theory = [(Fraction(k, 4),) for k in range(-8, 13)], circuits.clip()
    mirror = Network([[[-1], [-1]], [[1, -1]]], [[0, 1], [1]])  # 1 + relu(-x) - relu(1 - x)
    moved = Network([[[Fraction(3)], [HALF]], [[-Fraction(1, 3), 2]]], [[-3, 0], [0]])
    assert prove_equal(mirror, FUNCTIONS["clip"]) and prove_equal(moved, theory)
    assert find_network(FUNCTIONS["clip"], 1, points, bias=True) is None
    assert find_network(FUNCTIONS["clip"], 2, points) is None
    assert canonical(find_network(FUNCTIONS["clip"], 2, points, excluding=[moved], bias=True)) == canonical(mirror)
    assert canonical(find_network(FUNCTIONS["clip"], 2, points, excluding=[mirror], bias=True)) == canonical(theory)
    assert find_network(FUNCTIONS["clip"], 2, points, excluding=[mirror, moved], bias=True) is None


def test_search_without_time_is_an_error():
    points = list(itertools.product(range(-2, 3), repeat=3))
    with pytest.raises(TimeoutError, match="undecided after 0.001 s"):
        find_network(FUNCTIONS["minimum_of_three"], 5, points, timeout=0.001)


# Bad inputs


@pytest.mark.parametrize(
    ("left", "right", "options", "error", "sentence"),
    [
        (FUNCTIONS["identity"], circuits.identity(), {}, TypeError, "Function and Network were given"),
        (circuits.identity(), abs, {}, TypeError, "Network and builtin_function_or_method were given"),
        (circuits.identity(), FUNCTIONS["minimum"], {}, ValueError, r"\(1, 1\) and \(2, 1\) inputs and outputs"),
        (circuits.linear([1], [1]), FUNCTIONS["identity"], {}, ValueError, r"\(1, 2\) and \(1, 1\) inputs and outputs"),
        (circuits.linear([1], [1]), circuits.identity(), {}, ValueError, "wanted as many of each"),
        *(
            (circuits.minimum(), FUNCTIONS["minimum"], {"box": box}, ValueError, "wanted one .low, high.")
            for box in [
                (1, -1),
                (0, 1, 2),
                [(0, 1)],
                [(0, 1)] * 3,
                (0, math.nan),
                (math.inf, math.inf),
                [(0, 1), (2, 1)],
            ]
        ),
    ],
)
def test_bad_claims(left, right, options, error, sentence):
    with pytest.raises(error, match=sentence):
        prove_equal(left, right, **options)


@pytest.mark.parametrize(
    ("points", "excluding", "sentence"),
    [
        ([(1,)], [], "1 inputs were given; minimum takes 2"),
        ([(1, math.nan)], [], "a coordinate nan was given; wanted a finite number"),
        ([(1, 1)], [circuits.identity()], r"widths \(1, 2, 1\) was to be excluded; wanted \(2, 3, 1\)"),
        ([(1, 1)], [circuits.minimum_two_layers()], "wanted .2, 3, 1. and no biases"),
        ([(1, 1)], [with_bias(circuits.minimum(), 0, 0, 1)], "no biases"),
    ],
)
def test_bad_searches(points, excluding, sentence):
    with pytest.raises(ValueError, match=sentence):
        find_network(FUNCTIONS["minimum"], 3, points, excluding=excluding)


def test_search_with_no_units():
    """Only a constant is left, and that is 0 without biases."""
    one = Function("one", 2, "1", lambda m, x1, x2: 1, (2, 1))
    assert (
        find_network(one, 0, [(0, 0), (1, 2)]) is None and find_network(MINIMUM, 0, [(0, 0), (1, 2)], bias=True) is None
    )
    assert find_network(one, 0, [(0, 0), (1, 2)], bias=True) == Network([[[0, 0]]], [[1]])
    assert find_network(MINIMUM, 0, [(0, 0), (0, 2)]) == Network([[[0, 0]]])


def test_search_at_points_of_any_kind():
    for points in (
        np.array([[1], [-1]]),
        torch.tensor([[1.0], [-1.0]]),
        [[np.int8(1)], (np.float32(-1),)],
        {(1,), (-1,)},
    ):
        found = find_network(FUNCTIONS["absolute_value"], 2, points)
        assert canonical(found) == circuits.absolute_value()


def test_search_outside_the_domain():
    """A network need not be right there, so None would prove nothing."""
    with pytest.raises(ValueError, match=r"the point -1/2 was given; wanted points of the domain .* of step"):
        find_network(FUNCTIONS["step"], 2, [(-1,), (-HALF,), (0,)], bias=True)


def test_search_for_several_values():
    with pytest.raises(ValueError, match="sort_two of 2 values was given; wanted a function of one value"):
        find_network(FUNCTIONS["sort_two"], 4, [(1, 2)])
