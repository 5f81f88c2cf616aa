"""What training will do, from the initial weights alone: one hidden layer, no biases, one input or two.

One input, in closed form: units on one side of zero share one residual r, the slope still missing there. With
dτ = 2σ² r dt, σ² = E[x²; x > 0], gradient flow turns each of them by the same hyperbolic rotation: |w| becomes
|w| cosh τ + a sinh τ, and a becomes a cosh τ + |w| sinh τ. So w² - a² is kept (Du, Hu and Lee 2018), and the slope is
Σ a |w| = (P u - M / u) / 2 with u = exp 2τ, P = Σ (a + |w|)² / 2, M = Σ (a - |w|)² / 2: where a side stops, when, and
when a unit's |w| is zero, are all in closed form. Notebook 09 derives it.

Two inputs, step by step: directions turn too, and no formula is known for the end. But a batch of 1,000 inputs moves
the weights nearly as the mean over all inputs does, and the mean has its gradient in closed form (``wedges``). So the
steps of the training are taken with that, many at a time where it hardly changes. Notebook 16 derives it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import count
from numbers import Integral, Real

import numpy as np
from numpy.polynomial import Chebyshev

from mathcircuits.forms import canonical
from mathcircuits.functions import Function
from mathcircuits.naming import formula, sum_of_inputs
from mathcircuits.network import Network
from mathcircuits.training import SOLVED_BELOW
from mathcircuits.wedges import MeanLoss, State, checked_weights, linear_pieces

STAYS, CROSSES, STUCK = "stays", "crosses", "stuck at zero"
Units = dict[int, tuple[float, float]]  # of one side: |w| and a of each unit
WITHIN = 2e-4  # what the second order may change a weight by in a jump over many steps
REST = 1e-8  # what all the steps that are left may change a weight by, for a seed to be at rest
DAMPED = 0.6  # a jump of s stages damps curvatures up to this times (s² - 1), over the number of steps less one
MOST_STAGES = 6  # of a jump: the more, the farther it may go
TOGETHER = 4096  # so many seeds take their jumps together
DIVERGED = 1e6  # a larger weight does not come back
NEAR = 0.1  # of a unit's direction, or of what it counts, to a multiple of 1/4 that names it
SILENT = 0.02  # a unit that counts less, |a| times its largest |w|, is silent
ZERO = 0.05  # a smaller value at a corner, where the function is 1 or 2, is called 0
CORNERS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
AXES = [(1, 0), (-1, 0), (0, 1), (0, -1)]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What training will do, seed by seed. Axis 0 of everything is the seed.

    Attributes:
        solved: (n_seeds,) bool: as in ``Runs.solved``; for one input, whether every side of zero keeps a unit that can
            do its work.
        final: the weights at the end, shapes (n_seeds, units, inputs) and (n_seeds, outputs, units), as in
            ``Runs.final``.
        loss: (n_seeds,) the mean squared error at the end, over all inputs and not on a grid of them.
        fate: (n_seeds, units) str. One input: the unit "stays" on its side of zero, "crosses" to the other, or is
            "stuck at zero". Two inputs: what it ends as, such as "−relu(x1 − x2)", or "silent".
        circuit: (n_seeds,) str: what a solved network computes, unit by unit, such as "x1 − relu(x1 − x2)"; "another"
            if its numbers are near no multiples of 1/4, and "" if it is not solved.
        lost: (n_seeds,) str: "" if solved. One input: the sides that are lost and what became of the units there. Two
            inputs: the corners of the square (the axes, if it is none of them) where the network gives 0 and should
            not, and whether the loss is still falling; "diverged" if the weights grow without end.
    """

    solved: np.ndarray
    final: tuple[np.ndarray, np.ndarray]
    loss: np.ndarray
    fate: np.ndarray
    circuit: np.ndarray
    lost: np.ndarray


def predict(function: Function, initial: Sequence, *, lr: float = 0.0, steps: int = 0) -> Prediction:
    """Predict the outcome of training a network of one hidden layer without biases by plain SGD, for every seed.

    Args:
        function: of one or two inputs, linear on each side of zero or on cones, inputs uniform on a range symmetric
            about zero.
        initial: the weights at the start, shapes (n_seeds, units, inputs) and (n_seeds, outputs, units), as in
            ``Runs.initial``.
        lr, steps: those of the training. With one input both may be left out, for gradient flow; real steps carry a
            stuck unit to and fro across zero as long as both sides pull, which lets its outgoing weight fade, at each
            step by the factor 1 - (2σ² lr)² r r' / 2 with the residuals of the two sides. This is added where a side
            is lost.

    Raises:
        TypeError: what is no Function, no pair of arrays, no number.
        ValueError: another function, weights that do not fit it, a rate or a number of steps that is out of range.

    >>> from mathcircuits import FUNCTIONS, train
    >>> w, a = np.array([[[0.5], [-0.2]]]), np.array([[[0.1, -0.4]]])
    >>> predict(FUNCTIONS["identity"], (w, a)).solved, predict(FUNCTIONS["absolute_value"], (w, a)).lost
    (array([ True]), array(['x < 0: unit 2 stuck at zero'], dtype='<U27'))
    >>> seed_0 = train(FUNCTIONS["minimum"], seeds=[0], steps=1).initial
    >>> predict(FUNCTIONS["minimum"], seed_0, lr=0.1, steps=10_000).circuit.tolist()
    ['x2 − relu(x2 − x1)']
    """
    if not isinstance(function, Function):
        raise TypeError(f"{function!r} was given as the function; wanted a Function, such as FUNCTIONS['minimum']")
    slopes = [slope for _, slope in linear_pieces(function)]
    if function.arity == 1 and len(slopes[0]) > 1:
        raise ValueError(f"{function.name} of {len(slopes[0])} outputs was given; of one input, wanted one output")
    weights = checked_weights(function, initial, len(slopes[0]))
    if not isinstance(steps, Integral) or not isinstance(lr, Real):
        raise TypeError(f"lr {lr!r} and steps {steps!r} were given; wanted a number and an integer")
    flow = function.arity == 1 and lr == steps == 0
    if not flow and not (0 < lr < math.inf and steps >= 1):
        raise ValueError(f"lr {lr} and steps {steps} were given; wanted a finite rate above 0 and at least one step")
    if function.arity == 1:
        return _by_sides(function, [float(slope[0][0]) for slope in slopes], weights, lr, steps)
    return _by_wedges(function, weights, lr, steps)


def _by_sides(function: Function, slopes: list[float], weights, lr: float, steps: int) -> Prediction:
    targets, square = {1: slopes[0], -1: -slopes[1]}, function.high**2 / 6  # σ²
    seeds = zip(weights[0][..., 0], weights[1][:, 0], strict=True)
    rows = [_predict_seed(targets, *seed, 2 * square * lr, steps) for seed in seeds]
    fate, incoming, outgoing, lost = (np.array(column) for column in zip(*rows, strict=True))
    final, solved = (incoming[..., None], outgoing[:, None]), lost == ""
    missing = [target - (outgoing * np.maximum(s * incoming, 0)).sum(1) for s, target in targets.items()]
    loss = square * np.square(missing).sum(0)
    return Prediction(solved, final, loss, fate, _roles(final, solved)[1], lost)


def _predict_seed(targets: dict[int, float], w: np.ndarray, a: np.ndarray, rate: float, steps: int):
    begin = [1 if v > 0 else -1 for v in w]
    sides: dict[int, Units] = {s: {j: (abs(w[j]), a[j]) for j in range(len(w)) if begin[j] == s} for s in (1, -1)}
    fate, stuck = [STAYS] * len(w), {}
    while True:
        for s, units in sides.items():
            # Where every |a| is |w| and every sign is wrong, a side fades for ever: there is no τ at which it stops.
            if units and all(a == -math.copysign(w, targets[s]) for w, a in units.values()):
                stuck |= dict.fromkeys(units, 0.0)
                fate = [STUCK if j in units else kind for j, kind in enumerate(fate)]
                sides[s] = {}
        (time, unit), side = min((_first_at_zero(targets[s], sides[s]), s) for s in (1, -1))
        if time == math.inf:
            break
        sides = {s: _after(targets[s], sides[s], time) for s in (1, -1)}
        _, out = sides[side].pop(unit)
        wanted = targets[-side] - sum(v * b for v, b in sides[-side].values())
        if out * wanted > 0:
            sides[-side][unit], fate[unit] = (0.0, out), CROSSES
        else:
            stuck[unit], fate[unit] = out, STUCK
    lost = [s for s in (1, -1) if not sides[s] and targets[s] != 0]
    incoming, outgoing = np.zeros(len(w)), np.zeros(len(w))
    # ∫ r r' dt: r stays at its target where the side is lost, and ∫ r dt is the τ of a side that is not.
    wanted = {s: (abs(t), sides[s] if t >= 0 else _turned(sides[s])) for s, t in targets.items()}
    pulled = [abs(math.log(_roots(t, units)[1])) / 2 if units else t for t, units in wanted.values()]
    fade = math.exp(-rate / 2 * math.prod(pulled) * (rate * steps if len(lost) == 2 else 1)) if lost else 1
    for unit, out in stuck.items():
        outgoing[unit] = out * fade
    for s in (1, -1):
        for unit, (size, out) in _after(targets[s], sides[s], math.inf).items():
            incoming[unit], outgoing[unit] = s * size, out
    reasons = []
    for s in lost:
        gone = [f"unit {j + 1} {fate[j]}" for j in range(len(w)) if begin[j] == s]
        reasons.append(f"x {'>' if s > 0 else '<'} 0: {', '.join(gone) or 'no unit there'}")
    return fate, incoming, outgoing, "; ".join(reasons)


def _turned(units: Units) -> Units:
    """The same with every a turned: a side that wants a negative slope mirrors one that wants a positive one."""
    return {unit: (w, -a) for unit, (w, a) in units.items()}


def _roots(target: float, units: Units) -> tuple[float, float, float]:
    """P, and the two u at which the slope is the target: the first positive, where the side stops; the second not."""
    plus, minus = (sum((a + sign * w) ** 2 for w, a in units.values()) / 2 for sign in (1, -1))
    root = math.sqrt(target**2 + plus * minus)
    return plus, (target + root) / plus, (target - root) / plus


def _first_at_zero(target: float, units: Units) -> tuple[float, int]:
    """When, and which, unit's |w| is the first to reach zero on its side; infinity if none does before the end."""
    if target < 0:
        return _first_at_zero(-target, _turned(units))
    found = [(math.inf, -1)]
    plus, end, other = _roots(target, units) if units else (1.0, 1.0, 0.0)
    for unit, (w, a) in units.items():
        if abs(a) > w and a * (end - 1) < 0:
            u = (a - w) / (a + w)
            if (u - 1) * (u - end) < 0:
                ratio = (end - 1) * (u - other) / ((end - u) * (1 - other))
                found.append((math.log(ratio) / (plus * (end - other)), unit))
    return min(found)


def _after(target: float, units: Units, time: float) -> Units:
    """The units of a side after some time, in units of 1 / (2σ²)."""
    if target < 0:
        return _turned(_after(-target, _turned(units), time))
    if not units:
        return {}
    plus, end, other = _roots(target, units)
    decay = math.exp(-time * plus * (end - other)) * (end - 1) / (1 - other)
    root = math.sqrt((end + other * decay) / (1 + decay))
    c, s = (root + 1 / root) / 2, (root - 1 / root) / 2
    return {unit: (w * c + a * s, a * c + w * s) for unit, (w, a) in units.items()}


def _by_wedges(function: Function, weights: tuple[np.ndarray, np.ndarray], lr: float, steps: int) -> Prediction:
    mean = MeanLoss(function)
    begin = mean.state(weights)
    groups = [begin[..., k : k + TOGETHER] for k in range(0, begin.shape[2], TOGETHER)]
    with np.errstate(all="ignore"):  # of runs that diverge
        ends = [_follow(mean, group, lr, steps) for group in groups]
        loss = np.concatenate([mean.of(end) for end in ends])
        fall = np.concatenate([(mean.gradient(end) ** 2).sum((0, 1)) for end in ends]) * lr * steps
        state = np.concatenate(ends, axis=2)
        solved = _losses_on_grid(function, state) < SOLVED_BELOW
    diverged = ~(abs(state).max((0, 1)) < DIVERGED)
    loss[diverged] = math.inf
    final = state[:2].transpose(2, 1, 0), state[2:].transpose(2, 0, 1)
    fate, circuit = _roles(final, solved)
    lost = np.select([diverged, solved], ["diverged", ""], _lost_corners(function, final, fall > loss / 10))
    return Prediction(solved, final, loss, fate, circuit, lost)


def _follow(mean: MeanLoss, state: State, lr: float, steps: int) -> State:
    """Take gradient steps, x ← x + D(x) with D = -lr ∇, many at once where D hardly changes.

    Every seed chooses by its last jump how many, n: so that the next will not leave n D(x) by more than WITHIN, and
    is damped. It is at rest when all the steps that are left, each like the next one, would not change a weight by
    REST. The first jumps are short, later ones have more stages: by their number only, so that a seed does not depend
    on its company.
    """
    end, seeds = state.copy(), np.arange(state.shape[2])
    left, n = np.full(len(seeds), steps), np.ones(len(seeds), dtype=int)
    before, change = np.zeros_like(state), np.zeros(len(seeds))
    for k in count():
        stages = min(2 + k // 60, MOST_STAGES)
        loss, gradient = mean.both(state)
        step, steepest = -lr * gradient, lr * _steepest(mean, state, loss)
        n = np.minimum(n, 1 + (DAMPED * (stages**2 - 1) / steepest).astype(int))
        jump, some = step.copy(), np.flatnonzero(n > 1)
        if len(some):
            jump[..., some] = _jump(mean, state[..., some], step[..., some], lr, n[some], stages)
        pairs = n * (n - 1) / 2
        bend = abs(np.where(n > 1, jump - n * step, step - before)).max((0, 1)) / np.maximum(pairs, 1)
        change = np.fmax(np.maximum(bend, change / 2), 1e-300)  # it remembers a bend for a while
        taken = n * (pairs * change <= WITHIN)
        rest = abs(step).max((0, 1)) * left < REST
        state = state + np.where(rest, left * step, (taken > 0) * jump)
        left, before = np.where(rest | ~(abs(state).max((0, 1)) < DIVERGED), 0, left - taken), step
        n = np.clip(np.minimum(2 * n, np.sqrt(1.6 * WITHIN / change)).astype(int), 1, np.maximum(left, 1))
        going = left > 0
        if going.mean() < 0.9:
            end[..., seeds] = state
            if not going.any():
                return end
            state, before, seeds = state[..., going], before[..., going], seeds[going]
            left, n, change = left[going], n[going], change[going]


def _steepest(mean: MeanLoss, state: State, loss: np.ndarray) -> np.ndarray:
    """About the largest curvature of the loss: it limits how many steps a jump may take.

    Two parts. Where the network is f, by Cauchy and Schwarz, at most Σ (w² + a²) high²/3. And a small w turns fast:
    |a| / |w| times the error where it begins, of the size of the root of the loss. It need not be a bound: a jump that
    is too long is seen, and not taken.
    """
    w, a = (np.sqrt((part**2).sum(0)) for part in (state[:2], state[2:]))
    turning = (a / np.maximum(w, 1e-12)).max(0) * np.sqrt(loss)
    return mean.function.high**2 / 3 * (w**2 + a**2).sum(0) + mean.function.high * turning + 1e-300


def _jump(mean: MeanLoss, state: State, step: State, lr: float, n: np.ndarray, stages: int) -> State:
    """Where n > 1 steps lead from a state, right up to terms of third order in n; the first step is given.

    On a direction where one step multiplies by 1 + z, n of them multiply by (1 + z)ⁿ = 1 + n z + n(n-1)/2 z² + ….
    Two stages would take just this, x + n D(x + (n-1)/2 D(x)); it grows once n z < -2. With more stages a Chebyshev
    polynomial P(z) = 1 - b T(w0) + b T(w0 + w1 z) begins with the same three terms and stays within 1 up to n z of
    about -0.65 stages² (Runge-Kutta-Chebyshev methods: van der Houwen and Sommeijer 1980, damped by w0 a little above
    1). Its stages follow from T_j(s) = 2 s T_{j-1}(s) - T_{j-2}(s).
    """
    w0, t, first, second = _chebyshev(stages)
    w1, b = (n - 1) * first[-1] / second[-1], second[2:] / first[2:] ** 2
    b = np.concatenate([b[:1], b[:1], b])  # times n / (n - 1), but only ratios matter, and 1 - b T
    older, moved = np.zeros_like(step), n / (n - 1) * b[1] * w1 * step
    for j in range(2, stages + 1):
        here = -lr * mean.gradient(state + moved)
        pull = w1 * (here - (1 - n / (n - 1) * b[j - 1] * t[j - 1]) * step)
        older, moved = moved, 2 * b[j] / b[j - 1] * (w0 * moved + pull) - b[j] / b[j - 2] * older
    return moved


@cache
def _chebyshev(stages: int) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """w0, and there T_j and its first two derivatives for j = 0, …, stages."""
    w0 = 1 + 2 / (13 * stages**2)
    polynomials = [Chebyshev.basis(j) for j in range(stages + 1)]
    return w0, *(np.array([p.deriv(k)(w0) for p in polynomials]) for k in range(3))


def _losses_on_grid(function: Function, state: State) -> np.ndarray:
    """Return the loss by which ``train`` judges, (n_seeds,): on a grid of about 1,000 inputs."""
    x, losses = function.grid(1000), []
    y = function(*x.T)
    y = np.stack(y if isinstance(y, tuple) else [y])
    for k in range(0, state.shape[2], 100):
        part = state[..., k : k + 100].T  # (seeds, units, 2 + outputs)
        values = part[..., 2:].swapaxes(1, 2) @ np.maximum(part[..., :2] @ x.T, 0)
        losses.append(((values - y) ** 2).mean((1, 2)))
    return np.concatenate(losses)


def _lost_corners(function: Function, final: tuple[np.ndarray, np.ndarray], falling: np.ndarray) -> np.ndarray:
    """Name where each network gives 0 and should not, and say whether its loss is still falling."""

    def lost(points):  # (n_seeds, points): the network gives 0 and should not
        y = function(*np.transpose(points))
        y = np.stack(y if isinstance(y, tuple) else [y])
        values = final[1] @ np.maximum(final[0] @ np.transpose(points), 0)
        return ((abs(values) < ZERO) & (y != 0)).any(1)

    corners = lost(CORNERS)
    found = np.column_stack([corners, lost(AXES) & ~corners.any(1, keepdims=True), falling])
    rows, which = np.unique(found, axis=0, return_inverse=True)
    texts = []
    for *here, falls in rows:
        where = ", ".join(f"({a}, {b})" for (a, b), zero in zip(CORNERS + AXES, here, strict=True) if zero)
        texts.append((f"0 at {where}" if where else "0 nowhere") + ", still falling" * bool(falls))
    return np.array([text.replace("-", "−") for text in texts])[which.ravel()]


def _roles(final: tuple[np.ndarray, np.ndarray], solved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Name every unit by its direction, and every solved network by what its units compute together."""
    w, a = final
    size = abs(w).max(2)
    counts = a * size[:, None]  # (n_seeds, outputs, units)
    silent = ~(abs(counts).max(1) >= SILENT)
    direction = np.where(silent[..., None], 0, w / np.where(silent, 1, size)[..., None])
    quarter = (4 * direction).round() / 4
    near = abs(direction - quarter).max(2) < NEAR
    shown = np.where(near[..., None], quarter, direction.round(2))
    minus = (a[:, 0] < 0) & (a.shape[1] == 1) & ~silent
    rows, which = np.unique(
        np.column_stack([shown.reshape(-1, w.shape[2]), minus.ravel()]), axis=0, return_inverse=True
    )
    texts = [f"{'−' * int(sign)}relu({sum_of_inputs(_exact(row))})" if any(row) else "silent" for *row, sign in rows]
    circuit = np.where(solved, "another", "").astype(object)
    chosen = np.flatnonzero(solved & near.all(1))
    patterns, which_pattern = np.unique(quarter.reshape(len(w), -1)[chosen], axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        seeds = chosen[which_pattern.ravel() == k]
        directions, which_direction = np.unique(pattern.reshape(-1, w.shape[2]), axis=0, return_inverse=True)
        together = which_direction.ravel() == np.arange(len(directions))[:, None]  # units that point the same way
        total = counts[seeds] @ together.T
        rounded = (4 * total).round() / 4
        for values in np.unique(rounded[(abs(total - rounded) < NEAR).all((1, 2))], axis=0):
            network = canonical(Network([list(map(_exact, directions)), list(map(_exact, values))]))
            circuit[seeds[(abs(total - values) < NEAR).all((1, 2))]] = formula(network)
    return np.array(texts)[which.reshape(silent.shape)], circuit.astype(str)


def _exact(values) -> list:
    """Multiples of 1/4 as Fractions, others as they are."""
    return [Fraction(v) if 4 * v == round(4 * v) else v for v in map(float, values)]
