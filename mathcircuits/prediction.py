"""What training will do, from the initial weights alone: networks of one input and one hidden layer, no biases.

Units on one side of zero share one residual r, the slope still missing there. With dτ = 2σ² r dt, σ² = E[x²; x > 0],
gradient flow turns each of them by the same hyperbolic rotation: |w| becomes |w| cosh τ + a sinh τ, and a becomes
a cosh τ + |w| sinh τ. So w² - a² is kept (Du, Hu and Lee 2018), and the slope is Σ a |w| = (P u - M / u) / 2 with
u = exp 2τ, P = Σ (a + |w|)² / 2, M = Σ (a - |w|)² / 2: where a side stops, when, and when a unit's |w| is zero, are
all in closed form. Notebook 09 derives it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mathcircuits.functions import Function

STAYS, CROSSES, STUCK = "stays", "crosses", "stuck at zero"
Units = dict[int, tuple[float, float]]  # of one side: |w| and a of each unit


@dataclass(frozen=True, eq=False)
class Prediction:
    """What training will do, seed by seed. Axis 0 of everything is the seed.

    Attributes:
        solved: (n_seeds,) bool: does every side of zero keep a unit that can do its work?
        fate: (n_seeds, units) str: "stays" on its side of zero, "crosses" to the other, or is "stuck at zero".
        final: the weights at the end, shapes (n_seeds, units, 1) and (n_seeds, 1, units), as in ``Runs.final``.
        lost: (n_seeds,) str: "" if solved, else the sides that are lost and what became of the units there.
    """

    solved: np.ndarray
    fate: np.ndarray
    final: tuple[np.ndarray, np.ndarray]
    lost: np.ndarray


def predict(function: Function, initial: Sequence, *, lr: float = 0.0, steps: int = 0) -> Prediction:
    """Predict the outcome of training a network of one input, for every seed.

    Args:
        function: of one input, positively homogeneous (two slopes), inputs uniform on a range symmetric about zero.
        initial: the weights at the start, shapes (n_seeds, units, 1) and (n_seeds, 1, units), as in ``Runs.initial``.
        lr, steps: those of the training. Gradient flow needs neither. Real steps carry a stuck unit to and fro across
            zero as long as both sides pull, which lets its outgoing weight fade, at each step by the factor
            1 - (2σ² lr)² r r' / 2 with the residuals of the two sides. This is added where a side is lost.

    Raises:
        ValueError: a function of other inputs, or weights of other shapes.

    >>> from mathcircuits import FUNCTIONS
    >>> w, a = np.array([[[0.5], [-0.2]]]), np.array([[[0.1, -0.4]]])
    >>> predict(FUNCTIONS["identity"], (w, a)).solved, predict(FUNCTIONS["absolute_value"], (w, a)).lost
    (array([ True]), array(['x < 0: unit 2 stuck at zero'], dtype='<U27'))
    """
    if function.arity != 1 or function.low != -function.high:
        given = f"{function.name} on [{function.low}, {function.high}]"
        raise ValueError(f"{given} of {function.arity} input(s) was given; wanted one input, on a symmetric range")
    w, a = (np.asarray(t, dtype=float) for t in initial[:2])
    if w.ndim != 3 or w.shape[2] != 1 or a.shape != (len(w), 1, w.shape[1]):
        raise ValueError(f"weights of shapes {w.shape} and {a.shape} were given; wanted (n, m, 1) and (n, 1, m)")
    targets = {1: float(function(1.0)), -1: float(function(-1.0))}
    rate = lr * function.high**2 / 3  # 2σ² lr
    rows = [_predict_seed(targets, *row, rate, steps) for row in zip(w[..., 0], a[:, 0], strict=True)]
    fate, incoming, outgoing, lost = (np.array(column) for column in zip(*rows, strict=True))
    return Prediction(lost == "", fate, (incoming[..., None], outgoing[:, None]), lost)


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
