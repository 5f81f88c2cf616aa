"""Predictions are held against training itself, by this package and by PyTorch alone, against a numerical flow and
quadrature, and against the chances in closed form."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_wedges import TWO, by_quadrature

from mathcircuits import FUNCTIONS, MeanLoss, canonical, predict, snap, train
from mathcircuits.naming import formula
from mathcircuits.prediction import DAMPED, MOST_STAGES, _jump

NAMES = ("identity", "negative_identity", "absolute_value")
SLOPES = {"identity": (1, -1), "negative_identity": (-1, 1), "absolute_value": (1, 1)}
ONE, PAIR = ((np.ones((2, 3, n)), np.ones((2, 1, 3))) for n in (1, 2))  # weights of one input, and of two


def drawn(seed, n, m):
    """Initial weights as PyTorch draws them."""
    generator = np.random.default_rng(seed)
    return generator.uniform(-1, 1, (n, m, 1)), generator.uniform(-1, 1, (n, 1, m)) / math.sqrt(m)


def drawn_two(seed, n, m):
    generator = np.random.default_rng(seed)
    return generator.uniform(-1, 1, (n, m, 2)) / math.sqrt(2), generator.uniform(-1, 1, (n, 1, m)) / math.sqrt(m)


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


def trained_plainly(function, seeds, m, lr, steps):
    """PyTorch as everybody writes it, for several seeds in one tensor. Returns the first and the last weights."""
    layers = []
    for seed in seeds:
        torch.manual_seed(seed)
        layers.append(
            [torch.nn.Linear(2, m, bias=False).weight.double(), torch.nn.Linear(m, 1, bias=False).weight.double()]
        )
    w, a = (torch.stack(layer).detach().requires_grad_() for layer in zip(*layers, strict=True))
    first, optimizer = [w.detach().numpy().copy(), a.detach().numpy().copy()], torch.optim.SGD([w, a], lr=lr)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        x = 2 * torch.rand(2, 1000, generator=generator, dtype=torch.float64) - 1
        optimizer.zero_grad()
        (((a @ (w @ x).relu())[:, 0] - function(*x)) ** 2).mean(1).sum().backward()
        optimizer.step()
    return first, [w.detach().numpy(), a.detach().numpy()]


@pytest.mark.parametrize("name", [*TWO, "positive_maximum", "sort_two"])
def test_one_step_is_that_of_quadrature(name):
    function, m = FUNCTIONS[name], 3
    generator = np.random.default_rng(4)
    w, a = generator.normal(size=(20, m, 2)), generator.normal(size=(20, 2 if name == "sort_two" else 1, m))
    final = predict(function, (w, a), lr=0.1, steps=1).final
    for k in range(20):
        _, by_w, by_a = by_quadrature(function, w[k], a[k])
        assert abs(final[0][k] - w[k] + 0.1 * by_w).max() < 1e-9
        assert abs(final[1][k] - a[k] + 0.1 * by_a).max() < 1e-9


@pytest.mark.parametrize("name", ["addition", "minimum", "absolute_maximum"])
def test_jumps_lead_where_single_steps_do(name):
    generator = np.random.default_rng(5)
    w, a = generator.uniform(-0.7, 0.7, (200, 3, 2)), generator.uniform(-0.6, 0.6, (200, 1, 3))
    predicted, mean = predict(FUNCTIONS[name], (w, a), lr=0.1, steps=1500), MeanLoss(FUNCTIONS[name])
    for _ in range(1500):
        w, a = (layer - 0.1 * gradient for layer, gradient in zip((w, a), mean.gradients((w, a)), strict=True))
    error = np.maximum(abs(predicted.final[0] - w).max((1, 2)), abs(predicted.final[1] - a).max((1, 2)))
    assert np.quantile(error, 0.95) < 2e-4
    assert np.quantile(abs(predicted.loss - mean((w, a))), 0.95) < 1e-6


def test_plain_training_goes_where_predicted():
    first, last = trained_plainly(FUNCTIONS["addition"], range(700_000, 700_100), 2, 0.1, 1500)
    predicted = predict(FUNCTIONS["addition"], first, lr=0.1, steps=1500)
    error = abs(predicted.final[0] - last[0]).max((1, 2))
    assert (error < 0.02).sum() >= 95
    solved = MeanLoss(FUNCTIONS["addition"])(last) < 1e-6
    assert 40 < solved.sum() < 90 and (solved == predicted.solved).sum() >= 98


@pytest.mark.parametrize(("name", "steps"), [("subtraction", 3000), ("minimum", 10_000), ("maximum", 3000)])
def test_outcome_circuit_and_weights_of_fresh_seeds_of_two_inputs(name, steps, capsys):
    runs = train(FUNCTIONS[name], seeds=range(700_100, 700_300), steps=steps, records=1)
    predicted = predict(FUNCTIONS[name], runs.initial, lr=0.1, steps=steps)
    right = predicted.solved == runs.solved
    assert right.sum() >= 196
    both = runs.solved & predicted.solved
    exact = {formula(snap(canonical(runs.network(seed))).network): seed for seed in runs.seeds[both]}
    assert len(exact) <= 8  # so few circuits that a table of their names is one of networks
    found = [formula(snap(canonical(runs.network(seed))).network) for seed in runs.seeds[both]]
    assert np.mean(predicted.circuit[both] == found) >= 0.99
    error = abs(predicted.final[0] - runs.final[0].numpy()).max((1, 2))
    assert np.quantile(error, 0.9) < 0.02
    with capsys.disabled():
        print(f"\n{name}: {right.sum()} of 200 outcomes, 95 % within {np.quantile(error, 0.95):.4f}")


def test_what_circuits_units_and_failures_are_called():
    """Networks that are where training ends, or that no training moves."""
    w = np.array([[[1, 0], [-1, 0], [1, -1]], [[0, 2], [-1, 1], [0, -0.5]], [[1, 0], [0, 0], [1, -1]]], dtype=float)
    a = np.array([[[1, -1, -1]], [[0.5, -1, -2]], [[1, 0, -1]]], dtype=float)
    predicted = predict(FUNCTIONS["minimum"], (w, a), lr=0.01, steps=1)
    assert predicted.solved.tolist() == [True, True, False]
    assert predicted.circuit.tolist() == ["x1 − relu(x1 − x2)", "x2 − relu(x2 − x1)", ""]
    assert predicted.fate[0].tolist() == ["relu(x1)", "−relu(−x1)", "−relu(x1 − x2)"]
    assert predicted.fate[2, 1] == "silent"
    assert predicted.lost.tolist()[:2] == ["", ""] and predicted.lost[2].startswith("0 at (−1, 1), (−1, −1)")
    pairs = np.array([[[1, 0], [-1, 0], [0, 1], [0, -1], [1, 0]]], dtype=float), np.array([[[0.4, 1, 1, 1, 0.6]]])
    assert predict(FUNCTIONS["absolute_sum"], pairs, lr=0.1, steps=9).circuit.tolist() == ["|x1| + |x2|"]
    both = np.array([[[1, 0], [-1, 0], [1, -1], [-1, 1]]], dtype=float), np.array([[[1, -1, -1, 0], [1, -1, 0, 1]]])
    assert predict(FUNCTIONS["sort_two"], both, lr=0.1, steps=9).solved.all()


def test_a_late_seed_is_told_from_one_that_is_stuck():
    balanced = 2**-0.25 * np.array([[[1.0, 1.0], [1.0, 1.0]]]), 2**0.25 * np.array([[[0.5, 0.5]]])
    stuck = predict(FUNCTIONS["addition"], balanced, lr=0.1, steps=2000)
    assert stuck.lost.tolist() == ["0 at (−1, −1)"] and abs(stuck.loss - 1 / 3) < 1e-9
    turning = np.array([[[0.9, 0.9], [-0.02, -0.01]]]), np.array([[[1, -0.01]]])
    early, late = (predict(FUNCTIONS["addition"], turning, lr=0.1, steps=steps) for steps in (100, 400))
    assert early.lost.tolist() == ["0 nowhere, still falling"] and late.solved.all()


def test_a_rate_that_is_too_large_diverges():
    predicted = predict(FUNCTIONS["minimum"], drawn_two(0, 50, 3), lr=9, steps=200)
    gone = predicted.lost == "diverged"
    assert gone.sum() > 25 and np.isinf(predicted.loss[gone]).all() and not predicted.solved[gone].any()


def test_a_seed_does_not_depend_on_its_company():
    w, a = drawn_two(1, 3000, 2)
    among = predict(FUNCTIONS["distance"], (w, a), lr=0.1, steps=300)
    alone = predict(FUNCTIONS["distance"], (w[2900:], a[2900:]), lr=0.1, steps=300)
    assert abs(among.final[0][2900:] - alone.final[0]).max() < 1e-9
    assert (among.lost[2900:] == alone.lost).all()


@pytest.mark.parametrize(
    ("function", "weights", "options", "error", "match"),
    [
        (
            "minimum_of_three",
            (np.ones((2, 3, 3)), np.ones((2, 1, 3))),
            {},
            ValueError,
            "of 3 .* wanted one or two inputs",
        ),
        ("clip", ONE, {}, ValueError, r"clip .*on \[-1, 2\] was given; wanted .* symmetric"),
        ("soft_threshold", ONE, {}, ValueError, r"soft_threshold .* wanted one with f\(λx\)"),
        ("logical_and", PAIR, {}, ValueError, "a part of it; wanted a function of all real inputs"),
        ("minimum", (PAIR[0], np.ones((2, 3, 3)), PAIR[1]), {}, ValueError, r"shapes .* wanted two arrays"),
        ("minimum", (PAIR[0], np.ones((2, 3)), PAIR[1], np.ones((2, 1))), {}, ValueError, "without biases"),
        ("minimum", ONE, {}, ValueError, r"\(2, 3, 1\), \(2, 1, 3\) were given; wanted .*\(seeds, units, 2\)"),
        ("identity", (ONE[0], ONE[0]), {}, ValueError, r"\(2, 3, 1\), \(2, 3, 1\) were given; wanted"),
        ("identity", (ONE[0][:, :2], ONE[1]), {}, ValueError, "were given; wanted"),
        ("minimum", (np.ones((0, 3, 2)), np.ones((0, 1, 3))), {}, ValueError, "were given; wanted"),
        ("minimum", (PAIR[0] * math.nan, PAIR[1]), {}, ValueError, "NaN or infinite"),
        ("minimum", None, {}, TypeError, "NoneType was given; wanted two arrays of weights"),
        ("minimum", "weights", {}, TypeError, "str was given; wanted two arrays of weights"),
        ("minimum", PAIR, {"lr": math.nan}, ValueError, "lr nan and steps 10 were given; wanted a finite rate"),
        ("minimum", PAIR, {"lr": -1}, ValueError, "lr -1 and"),
        ("minimum", PAIR, {"lr": 0}, ValueError, "lr 0 and"),
        ("minimum", PAIR, {"lr": math.inf}, ValueError, "lr inf and"),
        ("minimum", PAIR, {"lr": "a"}, TypeError, "lr 'a' and steps 10 were given; wanted a number and an integer"),
        ("minimum", PAIR, {"steps": 0}, ValueError, "steps 0 were"),
        ("minimum", PAIR, {"steps": -5}, ValueError, "steps -5 were"),
        ("minimum", PAIR, {"steps": 1.5}, TypeError, "steps 1.5 were"),
        ("identity", ONE, {"steps": -5}, ValueError, "steps -5 were"),
        ("identity", ONE, {"lr": math.nan}, ValueError, "lr nan and"),
    ],
)
def test_bad_input_gets_one_clear_sentence(function, weights, options, error, match):
    with pytest.raises(error, match=match) as caught:
        predict(FUNCTIONS[function], weights, **({"lr": 0.1, "steps": 10} | options))
    assert "\n" not in str(caught.value)


def test_runs_and_names_are_no_weights_and_no_functions():
    runs = train(FUNCTIONS["minimum"], seeds=[0, 1], steps=1)
    with pytest.raises(TypeError, match=r"Runs was given; wanted two arrays of weights.*\.initial"):
        predict(FUNCTIONS["minimum"], runs, lr=0.1, steps=1)
    with pytest.raises(TypeError, match="'minimum' was given as the function; wanted a Function"):
        predict("minimum", runs.initial, lr=0.1, steps=1)


@pytest.mark.parametrize("stages", range(2, MOST_STAGES + 1))
def test_a_jump_is_right_to_second_order_and_damps(stages):
    """On D(x) = z x, of which n steps are (1 + z)ⁿ, known by powers of numbers and no polynomial."""
    n = np.array([2, 3, 10, 40])

    def factor(z):
        linear = SimpleNamespace(gradient=lambda state: -z * state)
        start = np.ones((3, 2, len(n)))
        jumped = start + _jump(linear, start, z * start, 1.0, n, stages)
        assert np.ptp(jumped, axis=(0, 1)).max() == 0
        return jumped[0, 0]

    small = 1e-3 / n
    assert (abs(factor(small) - (1 + small) ** n) <= 1e-9 / 6).all()  # (n z)³ / 6
    for part in np.linspace(0.01, 1, 50):
        assert (abs(factor(-DAMPED * (stages**2 - 1) * part / (n - 1))) <= 1).all()


def test_a_small_unit_that_turns_fast_does_not_stop_the_jumps():
    """Its direction is stiff: jumps that ignored it were refused one by one. The ends are those of single steps."""
    w = np.array([[[0.02, 0.01], [1.3, 0.0], [0.003, -0.001], [-1.3, 0.001]]])
    a = np.array([[[-0.06, 1.3, -0.2, 1.3]]])
    predicted, mean = (
        predict(FUNCTIONS["absolute_sum"], (w, a), lr=0.1, steps=2000),
        MeanLoss(FUNCTIONS["absolute_sum"]),
    )
    for _ in range(2000):
        w, a = (layer - 0.1 * gradient for layer, gradient in zip((w, a), mean.gradients((w, a)), strict=True))
    assert max(abs(predicted.final[0] - w).max(), abs(predicted.final[1] - a).max()) < 1e-3
