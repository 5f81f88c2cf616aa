"""Certificates: the checker accepts what is so, and nothing else; what it says is held against brute force."""

import copy
import dataclasses
import itertools
import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import check
import export
import numpy as np
import pytest
import symmetry
import witnesses

from mathcircuits import FUNCTIONS, Function, Network, certificates, circuits, prove_equal, train
from mathcircuits.certificates import certify, prove_close

ROOT = Path(__file__).resolve().parent.parent
CHECKER = ROOT / "certificates" / "check.py"
LARGE = ("maximum_of_five", "maximum_of_six")


def accepted(certificate):
    try:
        check.check(json.loads(json.dumps(certificate)))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return False
    return True


def written(network, function, **options):
    return certify(network, function, **options).data


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in LARGE])
def test_every_circuit_of_the_library_is_certified(name):
    certificate = certify(getattr(circuits, name)(), FUNCTIONS[name])
    assert certificate.verdict == "equal" and certificate.cells > 0
    assert check.check(json.loads(str(certificate))) == certificate.cells


def test_the_checker_stands_alone_and_is_short():
    text = CHECKER.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150 and "mathcircuits" not in text and "numpy" not in text
    run = subprocess.run([sys.executable, "-I", "-S", CHECKER], capture_output=True, text=True)
    assert run.returncode == 1 and run.stdout == "0 of 0 certificates accepted\n" and run.stderr == ""


def random_network(rng, n, layers=1, biases=True, largest=2):
    widths = [n, *rng.integers(1, 4, size=layers).tolist(), 1]
    draw = [rng.integers(-largest, largest + 1, size=(b, a)).tolist() for a, b in itertools.pairwise(widths)]
    bias = [(rng.integers(-2, 3, size=b) * biases).tolist() for b in widths[1:]]
    return Network(draw, bias)


def as_function(network):
    """The same piecewise linear function, defined by minimum and maximum."""

    def definition(m, *inputs):
        values = list(inputs)
        for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            sums = [sum((c * v for c, v in zip(row, values, strict=True)), b0) for row, b0 in zip(w, b, strict=True)]
            values = sums if k == len(network.weights) - 1 else [m.maximum(v, 0 * inputs[0]) for v in sums]
        return values[0] + 0 * inputs[0]

    return Function("f", network.arity, "f", definition, (network.arity, 1, 1))


POINTS = {
    n: list(itertools.product([Fraction(k, 2) for k in (-40, -7, -3, -2, -1, 0, 1, 2, 3, 5, 40)], repeat=n))
    for n in (1, 2)
}


def test_random_pairs_are_decided_rightly():
    """Half of the pairs are the same function in disguise; brute force on a grid of exact points is the oracle."""
    rng, verdicts = np.random.default_rng(11), {"equal": 0, "refuted": 0}
    for trial in range(300):
        n, layers = int(rng.integers(1, 3)), int(rng.integers(1, 3))
        left = random_network(rng, n, layers, biases=bool(trial % 2))
        right = left
        if trial % 3 == 0:
            right = random_network(rng, n, layers)
        elif trial % 3 == 1:
            k = int(rng.integers(len(left.weights)))
            row, column = (int(rng.integers(size)) for size in left.weights[k].shape)
            right = left.with_weight(
                k, row, column, left.weights[k][row, column] + Fraction(1, int(rng.integers(1, 4)))
            )
        certificate = certify(left, as_function(right))
        verdicts[certificate.verdict] += 1
        different = [p for p in POINTS[n] if left(*p) != right(*p)]
        if different:
            assert certificate.verdict == "refuted"
        if certificate.verdict == "refuted":
            assert left(*certificate.point) != right(*certificate.point)
        assert accepted(certificate.data)
    assert min(verdicts.values()) > 90


def damages(certificate, rng):
    """Certificates that say something false, or that leave something out; each with the kind of damage."""
    for k, weights in enumerate(certificate["weights"]):
        for row, column in itertools.product(range(len(weights)), range(len(weights[0]))):
            for change in ("-1", "1", "1/1024"):
                new = copy.deepcopy(certificate)
                new["weights"][k][row][column] = str(Fraction(weights[row][column]) + Fraction(change))
                yield "weight", new
    for k, biases in enumerate(certificate["biases"]):
        for j in range(len(biases)):
            new = copy.deepcopy(certificate)
            new["biases"][k][j] = str(Fraction(biases[j]) + 1)
            yield "bias", new
    inner = [(trees, k) for trees, k in places(certificate["cuts"]) if trees[k] is not None]
    for number in range(len(inner)):
        for kind in ("leaf", "index", "sign", "zero", "part", "same"):
            new = copy.deepcopy(certificate)
            trees, k = [(trees, k) for trees, k in places(new["cuts"]) if trees[k] is not None][number]
            cut = trees[k]
            if kind == "leaf":  # a cut left out
                trees[k] = None
            elif kind == "index":
                cut[0] = len(certificate["domain"]) * 2 + 9
            elif kind == "sign":
                cut[2] = "-" + cut[2]
            elif kind == "zero":
                cut[3] = "0"
            elif kind == "part":  # a part left out
                del cut[5]
            else:
                cut[1] = cut[0]
            yield kind, new
    for key in ("cuts", "domain", "function", "weights", "biases"):
        new = copy.deepcopy(certificate)
        del new[key][-1]
        yield f"{key} short", new
    for j, intervals in enumerate(certificate["domain"]):
        if intervals == [["-inf", "inf"]]:
            new = copy.deepcopy(certificate)
            new["domain"][j] = [["0", "inf"]]
            yield "domain", new


def places(trees):
    """Every place at which a tree or a part of one stands."""
    todo = [(trees, k) for k in range(len(trees))]
    while todo:
        holder, k = todo.pop()
        yield holder, k
        if holder[k] is not None:
            todo += [(holder[k], 4), (holder[k], 5)]


DAMAGED = (
    *("minimum", "absolute_maximum", "minimum_of_three", "median_of_three"),
    *("clip", "multiplexer", "distance", "full_adder", "sort_three"),
)


def test_what_is_damaged_is_rejected():
    rng, counts = np.random.default_rng(5), {}
    for name in DAMAGED:
        network, function = getattr(circuits, name)(), FUNCTIONS[name]
        for kind, damaged in damages(written(network, function), rng):
            if kind in ("weight", "bias"):  # a few weights are idle: what they are makes no difference
                changed = Network(*([[[Fraction(v) for v in r] for r in w] for w in damaged["weights"]],
                                    [list(map(Fraction, b)) for b in damaged["biases"]]))  # fmt: skip
                if prove_equal(changed, function):
                    continue
            counts[kind] = counts.get(kind, 0) + 1
            assert not accepted(damaged), (name, kind)
    assert sum(counts.values()) > 1000 and len(counts) >= 12, counts


def test_another_function_is_rejected():
    data = {name: written(getattr(circuits, name)(), FUNCTIONS[name]) for name in ("minimum", "maximum", "addition")}
    for (_, one), (_, other) in itertools.permutations(data.items(), 2):
        assert not accepted({**one, "function": other["function"]})


def test_refutations_are_checked_at_their_point():
    wrong = written(circuits.identity(), FUNCTIONS["absolute_value"])
    assert accepted(wrong) and wrong["verdict"] == "refuted"
    assert not accepted({**wrong, "point": ["3"]})
    assert not accepted({**wrong, "bound": "1"})
    assert not accepted({**wrong, "domain": [[["0", "inf"]]]})
    assert not accepted({**wrong, "verdict": "equal", "cuts": [None, None]})


@pytest.mark.parametrize("name, steps", [("identity", 500), ("absolute_value", 500), ("minimum", 3000)])
def test_errors_of_learned_networks_are_exact(name, steps):
    function = FUNCTIONS[name]
    for network in train(function, seeds=range(12), steps=steps).solved_networks():
        near = prove_close(network, function)
        assert near.verdict == "close" and accepted(near.data)
        exact = network.to_exact()
        assert abs(exact(*near.point) - function(*near.point)) == near.bound < Fraction(1, 100)
        grid = list(itertools.product([Fraction(k, 8) for k in range(-8, 9)], repeat=function.arity))
        assert max(abs(exact(*p) - function(*p)) for p in grid) <= near.bound
        assert not accepted({**near.data, "bound": str(near.bound * Fraction(999, 1000))})
        smaller = {**near.data, "bound": str(near.bound / 2), "point": ["0"] * function.arity}
        assert not accepted(smaller)


def test_what_takes_too_many_cells_is_said():
    network = random_network(np.random.default_rng(0), 2, 2)
    with pytest.raises(TimeoutError, match="1 cells and inf s were allowed"):
        certify(circuits.minimum_of_four(), FUNCTIONS["minimum_of_four"], cells=1)
    assert prove_close(network, as_function(circuits.minimum()), (-1, 1), cells=1).verdict == "undecided"


def test_a_function_that_jumps_is_no_piecewise_linear_one():
    jump = Function("jump", 1, "", lambda m, x: m.where(x > 0, 1, 0), (1, 1, 1))
    with pytest.raises(ValueError, match="jumps inside its domain"):
        certify(Network([[[0]], [[0]]]), jump)
    bent = Function("bent", 1, "", lambda m, x: m.where(x > 0, x, -x), (1, 2, 1))
    assert accepted(written(circuits.absolute_value(), bent))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weights": 3}', "{", "null", '{"verdict": "equal", "weights": [], "biases": []}']
)
def test_malformed_files_get_a_sentence_and_a_status(text, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    run = subprocess.run([sys.executable, CHECKER, path], capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr == "" and run.stdout.startswith(f"REJECTED {path}: ")


@pytest.mark.parametrize("box", [(0, 1), ((-1, 1), (0, np.inf)), ((2, 3), (-np.inf, 2))])
def test_boxes(box):
    certificate = certify(circuits.minimum(), FUNCTIONS["minimum"], box=box)
    assert certificate.verdict == "equal" and accepted(certificate.data)
    assert certify(circuits.maximum(), FUNCTIONS["minimum"], box=box).verdict == "refuted"


def test_the_maximum_of_six_is_decided_by_cells():
    six, function = circuits.maximum_of_six(), FUNCTIONS["maximum_of_six"]
    proof = prove_equal(six, function, timeout=60)
    assert proof and proof.by == "cells" and prove_equal(circuits.minimum(), FUNCTIONS["minimum"]).by == "z3"
    wrong = prove_equal(six.with_weight(2, 0, 5, six.weights[2][0, 5] + Fraction(1, 2**40)), function)
    assert wrong.status == "refuted" and wrong.left != wrong.right and wrong.right == max(wrong.counterexample)
    assert prove_equal(six, function, timeout=1e-3).status == "undecided"


def test_the_checker_wants_symmetries_that_are_some():
    five = written(circuits.maximum_of_five(), FUNCTIONS["maximum_of_five"])
    assert len(five["symmetries"]) == 3 and accepted(five)
    assert not accepted({**five, "symmetries": five["symmetries"] + [[1, 2, 3, 4, 0]]})
    assert not accepted({**five, "symmetries": five["symmetries"][:1]})  # other cells are needed
    shifted = copy.deepcopy(five)
    shifted["weights"][0][0][0] = "2"
    assert not accepted(shifted)


SUM = Function("sum of three", 3, "x_1 + x_2 + x_3", lambda m, *x: sum(x[1:], x[0]), (3, 2, 1))


def nearly_the_sum():
    """A network that is x1 + x2 + x3 + max(x1, x2) - max(x1, x3): the sum where x1 is largest, and not elsewhere.

    Two units that are always 0, relu(-relu(x1 - x2)) and relu(-relu(x1 - x3)), once made it look like the sum: they
    were taken for -max(x1, x2) and -max(x1, x3).
    """
    first = [[1, -1, 0], [1, 0, -1], [1, 2, 0], [-1, -2, 0]]
    second = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [-1, 0, 0, 0], [0, -1, 0, 0]]
    return Network([first, second, [[1, -1, 1, -1, 1, -1]]])


def test_what_only_looks_symmetric_is_refuted():
    network = nearly_the_sum()
    assert network(3, 2, 1) == 6 and network(1, 2, 3) == 6 + 2 - 3
    assert certify(network, SUM, symmetry=True).verdict == "refuted"
    honest = written(network, SUM, symmetry=False)
    assert honest["verdict"] == "refuted"
    # The order x1 >= x2 >= x3 is one cell, on which nothing is wrong; the forger says that it stands for all six.
    inside = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1], [0, -1, -1, -1]]
    assert all(network(*g[1:]) == sum(g[1:]) for g in inside)
    forged = {k: honest[k] for k in ("name", "weights", "biases", "function", "domain")}
    forged |= {"verdict": "equal", "symmetries": [[1, 0, 2], [0, 2, 1]]}
    with pytest.raises(ValueError, match="the network changes with the order of the inputs"):
        check.check({**forged, "cuts": [None]})


def test_sums_of_maxima_are_the_networks():
    """The form that symmetries are read from, evaluated, against the network, with many maxima that cancel."""
    rng = np.random.default_rng(3)

    def value(key, point):
        if isinstance(key, frozenset):
            return max(sum((Fraction(c) * value(k, point) for k, c in side), Fraction(0)) for side in key)
        return {"one": Fraction(1), "none": Fraction(0)}.get(key) if isinstance(key, str) else point[key]

    for _ in range(300):
        network = random_network(rng, 2, int(rng.integers(1, 4)), largest=1)
        layers, scale = certificates._whole_layers(network.to_exact())
        checkers = [([list(map(Fraction, r)) for r in w], list(map(Fraction, b)))
                    for w, b in zip(network.weights, network.biases, strict=True)]  # fmt: skip
        (ours,), (theirs,) = certificates._sums_of_maxima(layers, range(2)), symmetry.normal(checkers, range(2))
        for point in itertools.product([Fraction(k, 2) for k in (-5, -2, -1, 0, 1, 3)], repeat=2):
            wanted = network(*point)
            assert sum(c * value(key, point) for key, c in ours.items()) / scale == wanted
            assert sum(c * value(key, point) for key, c in theirs.items()) == wanted


def test_the_checker_refuses_what_it_cannot_answer_for(tmp_path):
    good = written(circuits.identity(), FUNCTIONS["identity"])
    assert accepted(good)
    for wrong in ({"domain": []}, {"domain": [[]]}, {"function": []}, {"nonzero": 0}, {"nonzero": 2}):
        assert not accepted({**good, **wrong})
    text = json.dumps(good)
    for k, bad in enumerate([text[:-1] + ', "verdict": "equal"}', text[:-1] + ', "seen by": "many"}']):
        path = tmp_path / f"{k}.json"
        path.write_text(bad, encoding="utf-8")
        run = subprocess.run([sys.executable, CHECKER, path], capture_output=True, text=True)
        assert run.returncode == 1 and run.stdout.startswith("REJECTED") and run.stderr == ""


# At most so many inputs that are not 0


def absolute_values(n, nonzero, **others):
    definition = lambda m, *x: tuple(map(m.abs, x))  # noqa: E731
    return Function("absolute values", n, "", definition, (n, 2 * n, n), nonzero=nonzero, **others)


def side_by_side(n):
    rows = [[s * (i == j) for j in range(n)] for i in range(n) for s in (1, -1)]
    return Network([rows, [[int(k // 2 == i) for k in range(2 * n)] for i in range(n)]])


@pytest.mark.parametrize("n, nonzero", [(2, 1), (3, 1), (3, 2), (4, 2)])
def test_at_most_so_many_inputs_not_zero(n, nonzero):
    """Random changes to weights; brute force on all points of a grid with so many coordinates not 0 is the oracle."""
    rng, function, network = np.random.default_rng(n), absolute_values(n, nonzero), side_by_side(n)
    assert prove_equal(network, function) and accepted(written(network, function))
    values = [Fraction(k, 2) for k in (-3, -1, 0, 1, 2)]
    points = [p for p in itertools.product(values, repeat=n) if sum(x != 0 for x in p) <= nonzero]
    seen = set()
    for _ in range(30):
        # A unit that reads two inputs, one of them with a weight that may or may not matter.
        k, row, column = int(rng.integers(2)), int(rng.integers(n)), int(rng.integers(n))
        changed = network.with_weight(k, row, column, int(rng.integers(-1, 2)))
        wrong = [p for p in points if changed(*p) != function(*p)]
        proof, certificate = prove_equal(changed, function), certify(changed, function)
        assert bool(proof) == (certificate.verdict == "equal") == (not wrong) and accepted(certificate.data)
        for point in (proof.counterexample, certificate.point):
            assert point is None or (changed(*point) != function(*point) and sum(x != 0 for x in point) <= nonzero)
        seen.add(bool(proof))
    assert seen == {True, False}


def test_few_inputs_are_a_smaller_claim():
    """Two units that read the sum and its negative: right while one input is not 0, wrong with two."""
    both = Network([[[1, 1], [-1, -1]], [[1, 1]]])
    total = Function("total", 2, "", lambda m, x, y: m.abs(x) + m.abs(y), (2, 4, 1), nonzero=1)
    few, many = prove_equal(both, total), prove_equal(both, dataclasses.replace(total, nonzero=2))
    assert str(few) == "proved: the network equals total for all real inputs of which at most 1 is not 0"
    assert many.status == "refuted" and 0 not in many.counterexample
    certificate = written(both, total)
    assert accepted(certificate) and not accepted({**certificate, "nonzero": 2})
    assert not accepted({k: v for k, v in certificate.items() if k != "nonzero"})
    tilted = Network([[[1, Fraction(1, 2)], [-1, Fraction(-1, 2)]], [[1, 1]]])
    near = prove_close(tilted, total)
    assert near.bound == Fraction(1, 2) and near.point[0] == 0 and accepted(near.data)
    grid = total.grid(100)
    assert len(grid) == 100 and ((grid != 0).sum(1) <= 1).all()
    assert ((total.sample(np.random.default_rng(0), 100) != 0).sum(1) == 1).all()


@pytest.mark.parametrize(
    "others, why",
    [
        ({"nonzero": 0}, "wanted an integer of at least 1"),
        ({"nonzero": 4}, "wanted at most 3, and 0 in the range"),
        ({"nonzero": 1.5}, "wanted"),
        ({"nonzero": 1, "low": 0.5}, "0 in the range"),
        ({"nonzero": 1, "domain": (((1, 2),),) * 3}, "sets all have 0 in them"),
    ],
)
def test_what_nonzero_may_not_be(others, why):
    with pytest.raises((ValueError, TypeError), match=why):
        absolute_values(3, **others)


WITNESSED = [
    ("minimum", "unsat"),
    ("clip", "unsat"),
    ("if_then_else", "unsat"),
    ("sort_two", "unsat"),
    ("maximum", "sat"),
]


@pytest.mark.parametrize("name, answer", WITNESSED)
def test_other_witnesses_say_the_same(name, answer):
    certificate = written(circuits.minimum() if answer == "sat" else getattr(circuits, name)(), FUNCTIONS[name])
    assert (certificate["verdict"] == "equal") == (answer == "unsat")
    assert witnesses.by_z3(export.smtlib(certificate), 60) == answer
    assert witnesses.by_cvc5(export.smtlib(certificate), 60) in (answer, None)
    if shutil.which("coqc"):
        assert witnesses.by_coq(export.coq(certificate), 120) == ("unsat" if answer == "unsat" else "refused")
