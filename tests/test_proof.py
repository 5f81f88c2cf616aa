"""Proofs, held against a second decision procedure, against every broken circuit, and against linear programming.

The second procedure does not use z3. It cuts the space of inputs into simplicial cones on which network and function
are both linear, in exact arithmetic; two linear maps are equal on a cone if they are equal on its generators.
"""

import itertools
import math
import re
from collections import Counter
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from mathcircuits import FUNCTIONS, Network, canonical, circuits, find_network, prove_equal, snap

HALF = Fraction(1, 2)


def kinks_of_pairs(*x):
    return [a - b for a, b in itertools.combinations(x, 2)]


# Each function in plain Python, and terms that change sign wherever it bends.
PLAIN = {
    "identity": (lambda x: x, lambda x: []),
    "negative_identity": (lambda x: -x, lambda x: []),
    "absolute_value": (abs, lambda x: [x]),
    "addition": (lambda x1, x2: x1 + x2, lambda x1, x2: []),
    "subtraction": (lambda x1, x2: x1 - x2, lambda x1, x2: []),
    "minimum": (min, kinks_of_pairs),
    "minimum_of_three": (min, kinks_of_pairs),
    "minimum_of_four": (min, kinks_of_pairs),
    "maximum_of_five": (max, kinks_of_pairs),
}
FIVE = "maximum_of_five"  # too large for the second procedure as it is: it has one of its own below
DERIVED = {name: (getattr(circuits, name)(), name) for name in PLAIN.keys() - {FIVE}} | {
    "minimum_mirror": (circuits.minimum_mirror(), "minimum"),
    "minimum_two_layers": (circuits.minimum_two_layers(), "minimum"),
    "tournament of three": (circuits.minimum_of(3), "minimum_of_three"),
}
# The positiveness of a minimum, relu(relu(z) - c relu(-z) - ...), is zero wherever z < 0, for each c >= 0. So this
# one weight, -c, may be any number that is not positive: (matrix, row, column).
FREE = {
    "minimum_two_layers": (1, 0, 2),
    "minimum_of_three": (1, 2, 2),
    "minimum_of_four": (1, 1, 2),
    "tournament of three": (1, 1, 2),
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


def really_equal(network, name, cones=None):
    value, kinks = PLAIN[name]

    @cache
    def signs(point):
        *hidden, _ = sums(network, point[1:], point[0])
        return [*itertools.chain(*hidden), *kinks(*point[1:])]

    pieces = itertools.chain.from_iterable(cut(signs, cone) for cone in cones or orthants(network.arity))
    return all(sums(network, g[1:], g[0])[-1] == [value(*g[1:])] for cone in pieces for g in cone)


@pytest.mark.parametrize(("name", "count"), [("absolute_value", 2), ("minimum", 4), ("minimum_of_four", 33)])
def test_second_procedure_finds_the_known_number_of_regions(name, count):
    network = circuits.__dict__[name]()
    signs = cache(lambda point: list(itertools.chain(*sums(network, point[1:], point[0])[:-1])))
    pieces = itertools.chain.from_iterable(cut(signs, cone) for cone in orthants(network.arity))
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


def is_checked_counterexample(proof, network, name):
    """True if plain exact evaluation gives the two unequal values that the proof states."""
    here, there = sums(network, proof.counterexample)[-1][0], PLAIN[name][0](*proof.counterexample)
    return here != there and (here, there) == (proof.left, proof.right)


@pytest.mark.parametrize("label", DERIVED)
def test_derived_circuit_is_proved(label):
    network, name = DERIVED[label]
    proof = prove_equal(network, FUNCTIONS[name])
    assert proof and str(proof) == f"proved: the network equals {name} for all real inputs"
    assert really_equal(network, name)


def test_every_changed_weight_is_refuted(capsys):
    count, equal = Counter(), set()
    for label, (network, name) in DERIVED.items():
        for kind, where, new, changed in changes(network):
            proof = prove_equal(changed, FUNCTIONS[name])
            assert bool(proof) == really_equal(changed, name), (label, kind, where, new)
            if proof:
                equal.add((label, kind, where, new))
            else:
                assert is_checked_counterexample(proof, changed, name), (label, kind, where, new)
                count[kind] += 1
    # What is left are the changes that change no function: to 0, -1/2, -3/2 and -2 in place of -1.
    assert equal == {(k, "weights", w, new) for k, w in FREE.items() for new in (0, -HALF, -3 * HALF, -2)}
    arrays = [a for network, _ in DERIVED.values() for a in network.weights + network.biases]
    assert count.total() + len(equal) == sum(5 if value else 4 for a in arrays for value in a.flat)
    with capsys.disabled():
        print(
            f"\n{count['weights'] + len(equal)} changed weights: {count['weights']} refuted, each with a checked "
            f"counterexample; {len(equal)} change no function, both procedures agree. "
            f"{count['biases']} changed biases: all refuted."
        )


@pytest.mark.parametrize("label", FREE)
def test_free_weight_may_be_anything_not_positive(label):
    network, name = DERIVED[label]
    for value, free in [(-1000, True), (-HALF, True), (0, True), (Fraction(1, 1000), False), (1, False)]:
        changed = network.with_weight(*FREE[label], value)
        assert bool(prove_equal(changed, FUNCTIONS[name])) == really_equal(changed, name) == free


@pytest.mark.parametrize("label", ["absolute_value", "minimum", "minimum_of_four"])
def test_one_weight_off_by_one_bit_is_refuted(label):
    network, name = DERIVED[label]
    for k, w in enumerate(network.weights):
        for where, old in np.ndenumerate(w):
            changed = network.to_float().with_weight(k, *where, float(old) + 2.0**-52)
            proof = prove_equal(changed, FUNCTIONS[name])
            if FREE.get(label) != (k, *where):
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
    equal = set()
    for kind, where, new, changed in changes(circuits.maximum_of_five()):
        proof = prove_equal(changed, FUNCTIONS[FIVE])
        if proof:
            equal.add((kind, where, new))
        else:
            assert is_checked_counterexample(proof, changed, FIVE), (kind, where, new)
    assert equal == set()


def test_maximum_of_six_is_proved_and_every_changed_weight_is_refuted():
    network = circuits.maximum_of_six()
    points = [*chambers(network), *np.random.default_rng(0).integers(-9, 10, (100, 6)).tolist()]
    points = np.array(points, dtype=float).T
    assert abs(points).max() < 1000
    scale = (2, 24, 24)  # whole numbers, also with 1/2 added: float64 holds them, their sums and products exactly
    whole = [(w * s).astype(float) for w, s in zip(network.weights, scale, strict=True)]
    assert all((w == s * v).all() for w, s, v in zip(whole, scale, network.weights, strict=True))
    wanted, equal = math.prod(scale) * points.max(axis=0), set()

    def right(first, second, out):
        return (out @ np.maximum(second @ np.maximum(first @ points, 0), 0) == wanted).all()

    assert right(*whole)
    for k, w in enumerate(whole):
        for where, old in np.ndenumerate(w):
            for new in {old + scale[k], old - scale[k], old + scale[k] // 2, old - scale[k] // 2, 0, -old} - {old}:
                w[where] = new
                if right(*whole):
                    equal.add((k, *where, Fraction(int(new), scale[k])))
            w[where] = old
    assert equal == set()


# What is approximated


def chords(pieces):
    """x^2 at the multiples of 1/pieces, straight between, in one hidden layer."""
    slopes = [Fraction(1, pieces)] + [Fraction(2, pieces)] * (pieces - 1)
    return Network([[[1]] * pieces, [slopes]], [[Fraction(-k, pieces) for k in range(pieces)], [0]])


def product_of_chords(pieces):
    """The square of |x1 + x2|/2 less that of |x1 - x2|/2, each by chords, in one hidden layer: kinks on both sides."""
    half, sides = chords(pieces), [(s * HALF, s * t * HALF, t) for t in (1, -1) for s in (1, -1)]
    hidden = [[a, b] for a, b, _ in sides for _ in range(pieces)]
    out = [c * t for _, _, t in sides for c in half.weights[1][0]]
    return Network([hidden, [out]], [[*half.biases[0]] * 4, [0]])


APPROXIMATE = {
    "tent": (circuits.tent(), Network([[[2], [1]], [[1, -4]]], [[0, -HALF], [0]]), (0, 1)),
    "sawtooth of two": (circuits.sawtooth(2), Network(
        [[[1]] * 4, [[4, -8, 8, -8]]], [[-Fraction(k, 4) for k in range(4)], [0]]), (0, 1)),
    "square": (circuits.square(3), chords(8), (0, 1)),
    "multiplication": (circuits.multiplication(1), product_of_chords(2), (-1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("label", APPROXIMATE)
def test_every_changed_weight_of_what_approximates_is_refuted(label):
    network, wanted, box = APPROXIMATE[label]
    assert prove_equal(network, wanted, box=box)
    equal = set()
    for kind, where, new, changed in changes(network):
        proof = prove_equal(changed, wanted, box=box)
        if proof:
            equal.add((kind, where, new))
        else:
            assert all(box[0] <= x <= box[1] for x in proof.counterexample)
            assert sums(changed, proof.counterexample)[-1] != sums(wanted, proof.counterexample)[-1]
    assert equal == set()


# Boxes, networks against networks, time

SHIFTED = Network([[[1]], [[1]]], [[1], [-1]])  # relu(x + 1) - 1
FLIPPED = Network([[[-1]], [[-1]]], [[1], [1]])  # 1 - relu(1 - x)
TWO_UNITS = Network([[[1, 0], [1, -1]], [[1, -1]]], [[1, 0], [-1]])  # relu(x1 + 1) - 1 - relu(x1 - x2)
SQUARE = [[(1, -1, -1), (1, s, -s), (1, 1, 1)] for s in (1, -1)]


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
        assert all(low <= x <= high for (low, high), x in zip(pairs, proof.counterexample, strict=True))
        assert is_checked_counterexample(proof, network, name)


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


def test_refutation_in_words():
    wrong = Network([[[1]], [[2]]])
    assert str(prove_equal(wrong, FUNCTIONS["identity"], box=(3, 3))) == (
        "refuted: the network equals identity on [3, 3]; at 3 the left side is 6, the right side 3"
    )


# Networks that fit points


def fits(name, units, points):
    """Decide by linear programming, for each choice of outgoing signs and of units active at points, of f(points)."""
    arity = len(points[0])
    angles = np.linspace(0.001, 2 * np.pi, 1000)
    around = [(1,), (-1,)] if arity == 1 else np.column_stack([np.cos(angles), np.sin(angles)])
    cells = [np.array(cell) for cell in {tuple(bool(np.dot(w, p) > 0) for p in points) for w in around}]
    wanted = [PLAIN[name][0](*p) for p in points]
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
        assert all(sums(network, p)[-1] == [PLAIN[name][0](*p)] for p in points)


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
        ([(1, math.nan)], [], "NaN"),
        ([(1, 1)], [circuits.identity()], r"widths \(1, 2, 1\) was to be excluded; wanted \(2, 3, 1\)"),
        ([(1, 1)], [circuits.minimum_two_layers()], "wanted .2, 3, 1. and no biases"),
        ([(1, 1)], [with_bias(circuits.minimum(), 0, 0, 1)], "no biases"),
    ],
)
def test_bad_searches(points, excluding, sentence):
    with pytest.raises(ValueError, match=sentence):
        find_network(FUNCTIONS["minimum"], 3, points, excluding=excluding)
