"""Predictions are held against training itself, against a numerical flow, and against the chances in closed form."""

import math

import numpy as np
import pytest

from mathcircuits import FUNCTIONS, predict, train

NAMES = ("identity", "negative_identity", "absolute_value")
SLOPES = {"identity": (1, -1), "negative_identity": (-1, 1), "absolute_value": (1, 1)}


def drawn(seed, n, m):
    """Initial weights as PyTorch draws them."""
    generator = np.random.default_rng(seed)
    return generator.uniform(-1, 1, (n, m, 1)), generator.uniform(-1, 1, (n, 1, m)) / math.sqrt(m)


@pytest.mark.parametrize("name", NAMES)
def test_outcome_and_weights_of_fresh_seeds(name, capsys):
    runs = train(FUNCTIONS[name], seeds=range(5000, 6000), lr=0.02, steps=4000)
    predicted = predict(FUNCTIONS[name], runs.initial, lr=0.02, steps=4000)
    assert (predicted.solved == runs.solved).mean() >= 0.99
    errors = np.maximum.reduce(
        [abs(p - r.numpy()).reshape(1000, -1).max(1) for p, r in zip(predicted.final, runs.final, strict=True)]
    )
    assert np.quantile(errors, 0.99) < 0.005
    with capsys.disabled():
        print(f"\n{name}: {(predicted.solved == runs.solved).sum()} of 1,000 outcomes, ", end="")
        print(f"weights within {np.quantile(errors, 0.99):.4f} for 99 %")


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_a_numerical_flow(name):
    """Euler steps of the exact gradient, small enough that what is left is the error of the steps."""
    w, a = drawn(1, 40, 3)
    predicted = predict(FUNCTIONS[name], (w, a))
    plain = (predicted.fate == "stays").all(1)
    assert plain.sum() > 10
    w, a, (plus, minus) = w[plain, :, 0], a[plain, 0], SLOPES[name]
    for _ in range(40_000):
        slopes = [(a * np.abs(w) * (np.sign(w) == s)).sum(1, keepdims=True) for s in (1, -1)]
        residual = np.where(w > 0, plus - slopes[0], minus - slopes[1])
        w, a = w + 1e-3 * residual * a * np.sign(w), a + 1e-3 * residual * np.abs(w)
    assert abs(predicted.final[0][plain, :, 0] - w).max() < 0.01
    assert abs(predicted.final[1][plain, 0] - a).max() < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_what_is_conserved_and_what_is_reached(name):
    w, a = drawn(2, 500, 4)
    predicted = predict(FUNCTIONS[name], (w, a))
    final_w, final_a = predicted.final[0][..., 0], predicted.final[1][:, 0]
    stays = predicted.fate == "stays"
    assert np.allclose((final_w**2 - final_a**2)[stays], (w[..., 0] ** 2 - a[:, 0] ** 2)[stays], atol=1e-9)
    for sign, slope in zip((1, -1), SLOPES[name], strict=True):
        reached = (final_a * np.maximum(sign * final_w, 0)).sum(1)
        assert np.allclose(reached[predicted.solved], slope, atol=1e-9)
    assert all((text == "") == bool(solved) for text, solved in zip(predicted.lost, predicted.solved, strict=True))


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_absolute_value_is_solved_as_often_as_the_formula_says(m):
    r = 1 - 1 / (4 * math.sqrt(m))
    chance = 1 - 2 * (1 - r / 2) ** m + (1 - r) ** m
    solved = predict(FUNCTIONS["absolute_value"], drawn(3, 10_000, m)).solved.mean()
    assert abs(solved - chance) < 4 * math.sqrt(chance * (1 - chance) / 10_000)


def test_one_unit_that_crosses_and_one_that_is_stuck():
    w, a = np.array([[[0.2], [0.4]]]), np.array([[[-0.5, 0.3]]])  # both see x > 0; the first has the wrong sign
    crossing = predict(FUNCTIONS["identity"], (w, a))
    assert crossing.fate.tolist() == [["crosses", "stays"]] and crossing.lost.tolist() == [""]
    stuck = predict(FUNCTIONS["absolute_value"], (w, a))
    assert stuck.fate.tolist() == [["stuck at zero", "stays"]]
    assert stuck.lost.tolist() == ["x < 0: no unit there"]
    assert stuck.final[0][0, 0, 0] == 0


@pytest.mark.parametrize("name", ["absolute_value", "negative_identity"])
def test_a_balanced_unit_of_the_wrong_sign_fades_for_ever(name):
    """On the line a = -|w| the flow is |w|' = -r |w|: it never reaches zero, and never leaves the line."""
    slope = SLOPES[name][0]
    predicted = predict(FUNCTIONS[name], (np.array([[[0.5], [-0.5]]]), np.array([[[-0.5 * slope, 0.5]]])))
    assert predicted.fate.tolist() == [["stuck at zero", "stays"]]
    assert predicted.lost.tolist() == ["x > 0: unit 1 stuck at zero"]
    assert predicted.final[0][0, 0, 0] == predicted.final[1][0, 0, 0] == 0


def test_balanced_units_of_the_right_sign_stay_balanced():
    weights = np.array([[[0.5], [-0.2]]]), np.array([[[0.5, -0.2]]])
    final = predict(FUNCTIONS["identity"], weights).final
    assert np.allclose(final[0].ravel(), [1, -1]) and np.allclose(final[1].ravel(), [1, -1])


@pytest.mark.parametrize("name", ["addition", "minimum"])
def test_two_inputs_are_refused(name):
    with pytest.raises(ValueError, match=r"2 input\(s\) was given; wanted one input"):
        predict(FUNCTIONS[name], drawn(0, 2, 2))


def test_other_shapes_are_refused():
    w, a = drawn(0, 2, 3)
    with pytest.raises(ValueError, match=r"shapes \(2, 3, 1\) and \(2, 3, 1\) were given; wanted"):
        predict(FUNCTIONS["identity"], (w, w))
    with pytest.raises(ValueError, match="were given; wanted"):
        predict(FUNCTIONS["identity"], (w[:, :2], a))
