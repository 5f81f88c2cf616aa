"""Canonical forms: one for all networks that differ by symmetry, and never another function."""

from fractions import Fraction

import numpy as np
import pytest

from mathcircuits import (
    FUNCTIONS,
    FunctionForm,
    Kink,
    Network,
    canonical,
    circuits,
    function_form,
    merge_layers,
    prove_equal,
    snap,
)

HALF = Fraction(1, 2)
# The maximum of six is too large for z3.
CIRCUITS = [
    *(name for name in FUNCTIONS if name != "maximum_of_six"),
    "minimum_mirror",
    "minimum_two_layers",
    "greaterness_detector",
]
SHAPES = [(1, 2, 1), (2, 3, 2), (3, 4, 1), (2, 3, 3, 1), (2, 3, 2, 2, 1)]


def rational(rng, *shape):
    """Random halves from -2 to 2, none zero: nothing dead by chance."""
    return np.vectorize(Fraction, otypes=[object])(rng.integers(1, 5, shape) * rng.choice([-1, 1], shape)) / 2


def random_network(rng, widths, make=rational):
    pairs = zip(widths[1:], widths, strict=False)
    return Network([make(rng, *pair) for pair in pairs], [make(rng, n) for n in widths[1:]])


def examples():
    rng = np.random.default_rng(0)
    yield from (getattr(circuits, name)() for name in CIRCUITS)
    yield from (random_network(rng, widths) for widths in SHAPES for _ in range(3))


def layers(network):
    return list(network.weights), list(network.biases)


# What changes a network but not its function; k is a hidden layer


def permuted(network, k, rng):
    weights, biases = layers(network)
    order = rng.permutation(len(weights[k]))
    weights[k], biases[k], weights[k + 1] = weights[k][order], biases[k][order], weights[k + 1][:, order]
    return Network(weights, biases)


def rescaled(network, k, rng):
    weights, biases = layers(network)
    c = abs(rational(rng, len(weights[k])))
    weights[k], biases[k], weights[k + 1] = weights[k] * c[:, None], biases[k] * c, weights[k + 1] / c
    return Network(weights, biases)


def with_units(network, k, rows, shifts, columns, constant=0):
    weights, biases = layers(network)
    weights[k] = np.vstack([weights[k], rows])
    biases[k] = np.concatenate([biases[k], shifts])
    weights[k + 1] = np.column_stack([weights[k + 1], *columns])
    biases[k + 1] = biases[k + 1] + constant
    return Network(weights, biases)


def with_unread_unit(network, k, rng):
    n_in, n_out = network.widths[k], network.widths[k + 2]
    return with_units(network, k, rational(rng, 1, n_in), rational(rng, 1), np.zeros((1, n_out), dtype=int))


def with_constant_unit(network, k, rng):
    shift, column = rational(rng, 1), rational(rng, 1, network.widths[k + 2])
    return with_units(network, k, np.zeros((1, network.widths[k]), int), shift, column, -column[0] * max(shift[0], 0))


def with_pair_that_cancels(network, k, rng):
    row, shift, column = rational(rng, 1, network.widths[k]), rational(rng, 1), rational(rng, network.widths[k + 2])
    return with_units(network, k, [row[0], 2 * row[0]], [shift[0], 2 * shift[0]], [column, -column / 2])


def with_unread_chain(network, k, rng):
    """A new unit in each layer from k on, that only the new unit of the next layer reads, and nothing the last."""
    for i in range(k, len(network.weights) - 1):
        network = with_unread_unit(network, i, rng)
    return network


def split(network, k, rng):
    weights, biases = layers(network)
    j, share = rng.integers(len(weights[k])), rational(rng, 1)[0] / 4
    column = weights[k + 1][:, j]
    weights[k + 1] = weights[k + 1].copy()
    weights[k + 1][:, j] = column * share
    smaller = Network(weights, biases)
    return with_units(smaller, k, weights[k][[j]] * 3, biases[k][[j]] * 3, [column * (1 - share) / 3])


MOVES = [permuted, rescaled, with_unread_unit, with_constant_unit, with_pair_that_cancels, with_unread_chain, split]


@pytest.mark.parametrize("move", MOVES)
def test_canonical_form_is_the_same_after(move):
    rng = np.random.default_rng(1)
    for network in examples():
        for k in range(len(network.weights) - 1):
            moved = move(network, k, rng)
            assert prove_equal(moved, network), "the move itself is wrong"
            assert canonical(moved) == canonical(network)


def test_canonical_form_is_the_same_after_many_moves_and_is_its_own():
    rng = np.random.default_rng(2)
    for network in examples():
        moved = network
        for _ in range(6):
            moved = rng.choice(MOVES)(moved, rng.integers(len(network.weights) - 1), rng)
        assert canonical(moved) == canonical(network) == canonical(canonical(network))


def test_canonical_form_of_an_exact_network_is_proved_equal():
    for network in examples():
        assert prove_equal(canonical(network), network)


def test_canonical_form_typed_by_hand():
    network = Network([[[2, 4], [-1, 0], [0, 0], [1, 2], [3, -3]], [[1, 2, 7, -HALF, 0]]], [[6, 0, 2, 3, 1], [1]])
    assert canonical(network) == Network([[[HALF, 1], [-1, 0]], [[3, 2]]], [[Fraction(3, 2), 0], [15]])


def test_names_stay_with_their_units():
    theory = circuits.minimum()
    backwards = Network([theory.weights[0][::-1], theory.weights[1][:, ::-1]], names=[theory.names[0][::-1]])
    assert canonical(backwards).names == canonical(theory).names == (("positiveness", "greaterness", "negativeness"),)
    dead = Network([[[0], [-1], [1]], [[1, 1, 1]]], names=[("dead", "negativeness", "positiveness")])
    assert canonical(dead).names == (("positiveness", "negativeness"),)


def test_the_two_minima_differ_and_the_family_of_each_is_one():
    first, second = canonical(circuits.minimum()), canonical(circuits.minimum_mirror())
    assert first != second and first.widths == second.widths == (2, 3, 1)
    assert canonical(Network([[[0, 3], [0, -2], [-5, 5]], [[Fraction(1, 3), -HALF, Fraction(-1, 5)]]])) == second


def test_exact_rows_are_told_apart_however_close():
    near = Fraction(1, 10**12)
    rows, out = np.array([[1, 0], [1, near], [1, 2 * near]]), np.array([[1, 2, 3]])
    forms = {canonical(Network([rows[order], out[:, order]])) for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0])}
    assert [w.tolist() for w in forms.pop().weights] == [[[1, 2 * near], [1, near], [1, 0]], [[3, 2, 1]]] and not forms


@pytest.mark.parametrize("out", [[[0, 0]], [[1, -HALF]], [[0, 0], [0, 0]]])
def test_layer_of_dead_units_keeps_one_of_zeros(out):
    dead = Network([[[1], [2]], out], [[1, 2], [5] * len(out)])
    for network in (dead, dead.to_float()):
        assert canonical(network) == Network([[[0]], [[0]] * len(out)], [[0], [5] * len(out)])


def test_network_without_hidden_layer_is_left_alone():
    assert canonical(circuits.linear([2, 3])) == circuits.linear([2, 3])


# Floats


@pytest.mark.parametrize("widths", SHAPES)
def test_float_network_keeps_its_function_and_has_one_form(widths):
    rng = np.random.default_rng(3)
    for _ in range(10):
        network = random_network(rng, widths, lambda rng, *shape: rng.normal(size=shape))
        form, x = canonical(network), rng.normal(size=(widths[0], 100))
        np.testing.assert_allclose(form(*x), network(*x), atol=0.02)
        np.testing.assert_allclose(canonical(network, tolerance=0)(*x), network(*x), atol=1e-11)
        assert canonical(form) == form and canonical(form).names == form.names
        for k in range(len(widths) - 2):
            moved = canonical(rescaled(permuted(network, k, rng), k, rng))
            assert moved.widths == form.widths
            for ours, theirs in zip(form.weights + form.biases, moved.weights + moved.biases, strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_noisy_network_snaps_to_the_exact_form():
    rng = np.random.default_rng(4)
    for exact in examples():
        for _ in range(5):
            moved = exact
            for k in range(len(exact.weights) - 1):
                moved = rescaled(permuted(split(moved, k, rng), k, rng), k, rng)
            noisy = moved.to_float().map_weights(lambda v: v + rng.uniform(-1e-5, 1e-5))
            snapped = snap(canonical(noisy), max_denominator=64)
            assert snapped.network == canonical(exact) and snapped.distance < 2e-3


@pytest.mark.parametrize("noise", [1e-4, 3e-3])
def test_order_does_not_hang_on_noise(noise):
    """Nor on noise of a few times the tolerance, as units have that count for little."""
    exact = Network([[[1, Fraction(1, 8), 1], [1, Fraction(1, 8), -1]], [[1, 2]]])
    rng = np.random.default_rng(5)
    for _ in range(50):
        noisy = permuted(exact, 0, rng).to_float().map_weights(lambda v: v + rng.uniform(-noise, noise))
        assert snap(canonical(noisy), max_denominator=8).network == exact
        normals = [kink.normal for kink in function_form(noisy).kinks]
        assert np.round(np.array(normals) * 8).tolist() == [[8, 1, 8], [8, 1, -8]]


def test_what_tolerance_counts_as_equal_or_zero():
    close = Network([[[1.0], [-1.0], [1.0]], [[2.0, 1.0, 1e-4]]], [[0.0, 0.0, 0.5], [0.0]])
    assert canonical(close).widths == (1, 2, 1) and canonical(close, tolerance=1e-5).widths == (1, 3, 1)
    near = Network([[[1.0, 0.0], [1.0, 0.0625]], [[3.875, 0.125]]])
    assert canonical(near).widths == (2, 2, 1)
    assert canonical(near, tolerance=0.01) == Network([[[1, 2.0**-9]], [[4]]])


@pytest.mark.parametrize("out", [[3.0, 0.125, 0.125], [1.0, 1.0, 1.0], [0.2, 0.2, 0.1]])
def test_near_units_have_one_form_in_any_order(out):
    near = Network([[[1.0, 0.0], [1.0, 0.03125], [1.0, 0.0625]], [out]])
    forms = {canonical(permuted(near, 0, np.random.default_rng(seed)), tolerance=0.01) for seed in range(20)}
    assert len(forms) == 1


def test_unit_that_hardly_depends_on_its_inputs_leaves_its_constant():
    network = Network([[[1.0], [1e-9]], [[1.0, 1.0]]], [[0.0, 5.0], [0.0]])
    assert canonical(network) == Network([[[1]], [[1]]], [[0], [5]])


# Snapping


def test_snap_by_hand():
    network = Network([[[0.49], [-1.26]], [[1.0, 0.333]]], [[0.0, 0.2], [-2.9]])
    snapped = snap(network)
    assert snapped.network == Network([[[HALF], [Fraction(-5, 4)]], [[1, Fraction(1, 3)]]], [[0, Fraction(1, 4)], [-3]])
    assert snapped.network.exact and abs(snapped.distance - 0.1) < 1e-12
    assert snap(network, max_denominator=1).network == Network([[[0], [-1]], [[1, 0]]], [[0, 0], [-3]])


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_snap_is_the_nearest_of_all_small_rationals(limit):
    values = np.random.default_rng(6).uniform(-3, 3, 40)
    small = sorted({Fraction(n, d) for d in range(1, limit + 1) for n in range(-4 * d, 4 * d + 1)})
    nearest = [min(small, key=lambda s: abs(s - Fraction(v))) for v in values]
    snapped = snap(Network([values[:, None]]), max_denominator=limit)
    assert snapped.network.weights[0][:, 0].tolist() == nearest
    assert np.isclose(snapped.distance, max(abs(values - np.array(nearest, dtype=float))))


def test_snap_keeps_names_and_leaves_exact_networks_alone():
    assert snap(circuits.minimum()) == (circuits.minimum(), 0)
    assert snap(circuits.minimum().to_float()).network.names == circuits.minimum().names


# Merging layers


def test_reconstructing_layers_are_merged_away():
    rng = np.random.default_rng(7)
    for network in examples():
        n = network.arity
        pairs = Network(
            [np.kron(np.eye(n, dtype=int), [[2], [-3]]), np.kron(np.eye(n, dtype=int), [[HALF, -Fraction(1, 3)]])]
        )
        longer = circuits.identity() @ network @ pairs if network.widths[-1] == 1 else network @ pairs
        assert len(longer.weights) > len(network.weights)
        merged = merge_layers(permuted(split(longer, 0, rng), 0, rng))
        assert merged == merge_layers(network) and prove_equal(merged, network)


def test_layer_of_pairs_with_biases_is_linear():
    # With z = 2 x + 1: relu(z) - relu(-z) + 3 = 2 x + 4, and then its positive part.
    network = Network([[[2], [-2]], [[1, -1]], [[1]]], [[1, -1], [3], [0]])
    assert merge_layers(network) == Network([[[2]], [[1]]], [[4], [0]])
    assert merge_layers(circuits.addition()) == circuits.linear([1, 1])


@pytest.mark.parametrize("network", [circuits.absolute_value(), circuits.minimum(), circuits.minimum_of_four()])
def test_layer_that_bends_stays(network):
    assert merge_layers(network) == network
    assert merge_layers(circuits.absolute_value() @ circuits.absolute_value()).widths == (1, 2, 2, 1)


def test_pairs_of_other_bends_or_weights_stay():
    assert merge_layers(Network([[[1], [-1]], [[1, -2]]])).widths == (1, 2, 1)
    assert merge_layers(Network([[[1], [-1]], [[1, -1]]], [[1, 1], [0]])).widths == (1, 2, 1)


def test_merging_wants_an_exact_network():
    with pytest.raises(TypeError, match="wanted an exact one"):
        merge_layers(circuits.minimum().to_float())


# The form of the function

LEAST_NORM = Network([[[1, 1], [-1, -1], [1, -1], [-1, 1]], [[HALF, -HALF, -HALF, -HALF]]])


def value(form, *x):
    """A form evaluated as its definition says."""
    bends = [k.bend * max(sum(n * v for n, v in zip(k.normal, x, strict=True)) - k.offset, 0) for k in form.kinks]
    return form.constant + sum(s * v for s, v in zip(form.slope, x, strict=True)) + sum(bends)


def one_layer():
    rng = np.random.default_rng(10)
    yield from (n for n in examples() if len(n.weights) == 2 and n.widths[-1] == 1)
    yield from (random_network(rng, widths) for widths in [(1, 4, 1), (2, 5, 1), (3, 6, 1)] for _ in range(3))


def test_form_is_the_function_and_gives_it_back():
    rng = np.random.default_rng(11)
    for network in one_layer():
        form = function_form(network)
        assert prove_equal(form.to_network(), network) and function_form(form.to_network()) == form
        assert len(form.to_network().weights[0]) <= len(form.kinks) + 2
        for point in rational(rng, 20, network.arity):
            assert value(form, *point) == network(*point)
        for kink in form.kinks:
            assert max(map(abs, kink.normal)) == 1 and next(v for v in kink.normal if v) > 0 and kink.bend != 0
        assert len({kink[:2] for kink in form.kinks}) == len(form.kinks)


def test_equal_functions_have_one_form():
    rng = np.random.default_rng(12)
    for network in one_layer():
        moved = network
        for _ in range(6):
            moved = rng.choice(MOVES)(moved, 0, rng)
        # What no symmetry of networks does: a linear function added by its two sides, and taken away by others.
        row = rational(rng, 3, network.arity)
        rows = [s * r for r in (row[0], row[1], row[0] + row[1]) for s in (1, -1)]
        moved = with_units(moved, 0, rows, [0] * 6, [[1], [-1], [1], [-1], [-1], [1]])
        assert function_form(moved) == function_form(network)
    forms = {function_form(n) for n in (circuits.minimum(), circuits.minimum_mirror(), LEAST_NORM)}
    assert len(forms) == 1 and len({canonical(n) for n in (circuits.minimum(), circuits.minimum_mirror())}) == 2
    assert forms.pop() == FunctionForm(0, (1, 0), (Kink((1, -1), 0, -1),))


def test_form_of_noisy_networks_is_near():
    rng = np.random.default_rng(13)
    for network in one_layer():
        noisy = rescaled(split(network, 0, rng), 0, rng).to_float().map_weights(lambda v: v + rng.uniform(-1e-5, 1e-5))
        exact, near = function_form(network), function_form(noisy)
        assert len(near.kinks) == len(exact.kinks)
        x = rng.uniform(-1, 1, (50, network.arity))
        np.testing.assert_allclose([value(near, *p) for p in x], [network(*p) for p in x], atol=2e-3)
        assert all(type(v) is float for v in (near.constant, *near.slope, *(v for k in near.kinks for v in k[1:])))


def test_form_on_a_box():
    network = Network([[[1], [-1], [2]], [[1, 1, 3]]], [[2, -3, 1], [0]])
    assert function_form(network, box=(-1, 1)) == FunctionForm(2, (1,), (Kink((1,), -HALF, 6),))
    assert function_form(network, box=(0, 1)) == FunctionForm(5, (7,), ())
    assert len(function_form(network, box=(-5, 1)).kinks) == 3
    assert function_form(network, box=[(-1, 1)]) == function_form(network.to_float(), box=(-1, 1))
    constant = Network([[[0], [1]], [[2, 0]]], [[3, 1], [1]])
    assert function_form(constant) == FunctionForm(7, (0,), ()) == function_form(constant.to_float())
    assert function_form(constant).to_network()(5) == 7


def test_sides_that_do_not_quite_meet_leave_their_mean():
    form = function_form(Network([[[1.0, 0.0], [-1.0, 0.0008]], [[1.0, -1.0]]]))
    assert form.kinks == () and form.slope == pytest.approx((1, -0.0004))


def test_kinks_that_hardly_bend_leave_their_chord():
    network = Network([[[1.0], [1.0]], [[1e-4, 1.0]]], [[0.0, -0.9999], [0.0]])
    form = function_form(network, box=(-1, 1))
    assert form.kinks == () and form.slope[0] == pytest.approx(1e-4, abs=1e-4)
    assert len(function_form(network, box=(-1, 1), tolerance=1e-6).kinks) == 2


@pytest.mark.parametrize("network", [circuits.minimum_two_layers(), circuits.linear([1]), Network([[[1]], [[1], [1]]])])
def test_form_wants_one_hidden_layer_and_one_output(network):
    with pytest.raises(ValueError, match="wanted one hidden layer and one output"):
        function_form(network)
