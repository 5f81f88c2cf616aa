"""Several functions in one network: exact, smallest, and whatever is asked for."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from mathcircuits import (
    FUNCTIONS,
    Function,
    Network,
    circuits,
    fewest_units,
    find_network,
    prove_equal,
    shared,
    smallest,
)

SIX = ["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum"]
EIGHT = ["addition", "subtraction", "minimum", "maximum", "distance", "absolute_sum", "absolute_maximum", "sort_two"]
ONE_LAYER = [n for n, f in FUNCTIONS.items() if f.domain is None and len(f.widths) == 3]


def together(names):
    """Return one Function with the values of all of them."""
    functions = [FUNCTIONS[name] for name in names]
    arity = max(f.arity for f in functions)

    def definition(m, *inputs):
        values = (f.definition(m, *inputs[: f.arity]) for f in functions)
        return tuple(v for value in values for v in (value if isinstance(value, tuple) else (value,)))

    outputs = sum(f.widths[-1] for f in functions)
    if outputs == 1:
        return replace(functions[0], name="one")
    return Function("together", arity, "", definition, (arity, 1, outputs))


@pytest.mark.parametrize(("names", "units"), [(SIX, 4), (EIGHT, 6), (["clip", "soft_threshold", "relu"], 3)])
def test_known_sizes(names, units):
    network = shared(names)
    assert network.widths[1] == units and prove_equal(network, together(names))


def test_random_lists_of_the_library():
    """Proved by the solver; as small as the count of A1; never smaller than one alone."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        names = [ONE_LAYER[k] for k in rng.permutation(len(ONE_LAYER))[: rng.integers(1, 6)]]
        network = shared(names)
        assert prove_equal(network, together(names)), names
        assert network.widths[1] == fewest_units(network), names
        alone = max(FUNCTIONS[name].widths[1] for name in names)
        assert alone <= network.widths[1] <= sum(FUNCTIONS[name].widths[1] for name in names)


@pytest.mark.parametrize("names", [["identity", "absolute_value"], ["relu", "leaky_relu"]])
def test_no_smaller_network_exists(names):
    """The solver finds no network with one unit fewer that has the first function's values and the sum of both."""
    network, points = shared(names), [(k,) for k in (-2, -1, 1, 2)]
    total = Function("sum", 1, "", lambda m, x: sum(f.definition(m, x) for f in map(FUNCTIONS.get, names)), (1, 1, 1))
    sizes = []
    for function in (FUNCTIONS[names[0]], total):
        sizes.append(next(k for k in range(4) if find_network(function, k, points)))
    assert max(sizes) <= network.widths[1] == 2


def test_every_weight_of_the_six_matters():
    network, function = shared(SIX), together(SIX)
    for k, matrix in enumerate(network.weights):
        for row, column in itertools.product(*map(range, matrix.shape)):
            for change in (-1, 1):
                changed = network.with_weight(k, row, column, matrix[row, column] + change)
                proof = prove_equal(changed, function)
                assert proof.status == "refuted" and changed(*proof.counterexample) != function(*proof.counterexample)


def test_random_networks_get_smaller_and_stay_the_same():
    rng = np.random.default_rng(1)
    for _ in range(60):
        n, units, outputs = (int(rng.integers(1, 4)) for _ in range(3))
        rows = rng.integers(-1, 2, size=(units + 2, n)).tolist()
        last = rng.integers(-2, 3, size=(outputs, units + 2)).tolist()
        network = Network(
            [rows, last], [rng.integers(-1, 2, units + 2).tolist(), rng.integers(-1, 2, outputs).tolist()]
        )
        if fewest_units(network) == 0:
            continue
        small = smallest(network)
        assert prove_equal(small, network) and small.widths[1] == fewest_units(network)


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ([], ValueError, "no function was given"),
        ("minimum", TypeError, "wanted a list of functions"),
        (7, TypeError, "wanted a list of functions"),
        (["minimal"], ValueError, "the function 'minimal' was given; wanted one of identity"),
        ([circuits.minimum()], TypeError, "wanted a Function of FUNCTIONS, or its name"),
        (["minimum_of_three"], ValueError, "one hidden layer computes on all real inputs"),
        (["logical_and"], ValueError, "one hidden layer computes on all real inputs"),
    ],
)
def test_what_cannot_be_shared(given, error, why):
    with pytest.raises(error, match=why):
        shared(given)


def test_a_constant_needs_no_unit():
    with pytest.raises(ValueError, match="that is constant was given"):
        smallest(circuits.minimum() - circuits.minimum_mirror())


def test_functions_may_be_given_themselves():
    assert shared([FUNCTIONS["minimum"], "maximum"]) == shared(["minimum", "maximum"])
