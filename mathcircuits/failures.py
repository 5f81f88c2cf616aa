"""Why a run failed, read off its weights: is it stuck, or on its way?

Two facts decide. Where f(x) > 0, a network that equals f has an active unit that adds (outgoing weight a > 0), and
where f(x) < 0 one that takes away: so it has as many of each sign as the circuit has, and with other signs its loss
stays above a bound until some a has passed through 0. And a unit that only repeats what others do, an *idle* unit,
comes to their help only if it can turn towards what they leave out. Notebook 08 says both in full, 09 derives the
numbers. With one input nothing turns, and the closed form of ``predict`` decides.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import nnls

from mathcircuits.network import Network
from mathcircuits.prediction import predict
from mathcircuits.training import Runs

WRONG_SIGNS, OUT_OF_REACH, ON_ITS_WAY, UNDECIDED = "wrong signs", "out of reach", "on its way", "undecided"
STUCK = (WRONG_SIGNS, OUT_OF_REACH)
KEEPS_ITS_SIGN, CHANGES_ITS_SIGN = 1.5, math.sqrt(3)  # distance / |a|; between them the leading order does not decide
ALIGNED = 1e-9  # a distance from a cone that is zero up to rounding


def why_failed(runs: Runs, circuit: Network) -> np.ndarray:
    """Name the reason for every seed that is not solved, from its final weights and not from its number of steps.

    Args:
        runs: of one or two inputs, one hidden layer, one output and no biases, that have come to a plateau.
        circuit: the derived network of as many units; the signs of its outgoing weights are what a solution needs.

    Returns:
        (n_seeds,) str, "" for a solved seed, else

        * "wrong signs": stuck; too few units add or too few take away, and none is about to change that.
        * "out of reach": stuck; the signs are right, but a unit that is needed elsewhere is active only where others
          serve, and nothing turns it.
        * "on its way": more steps will solve it.
        * "undecided": a unit may or may not be about to change the sign of its outgoing weight.

    Raises:
        ValueError: runs of another shape, with biases, or with another number of units than the circuit.

    >>> from mathcircuits import FUNCTIONS, circuits, train
    >>> names = why_failed(train(FUNCTIONS["addition"], seeds=range(100)), circuits.addition())
    >>> {str(name): int((names == name).sum()) for name in np.unique(names)}
    {'': 61, 'on its way': 5, 'wrong signs': 34}
    """
    if len(runs.widths) != 3 or runs.widths[0] > 2 or runs.widths[-1] != 1 or any(b.any() for b in runs.final_biases):
        raise ValueError(f"runs of widths {runs.widths} were given; wanted (1 or 2, units, 1) and no biases")
    if circuit.widths != runs.widths:
        raise ValueError(f"a circuit of widths {circuit.widths} was given for runs of {runs.widths}; wanted the same")
    if runs.diverged.any():
        raise ValueError("runs that diverged were given; wanted runs with finite weights")
    w, a = runs.final[0].double().cpu().numpy(), runs.final[1][:, 0].double().cpu().numpy()
    adding = sum(weight > 0 for weight in circuit.weights[1][0])
    arrives = predict(runs.function, (w, a[:, None])).solved if w.shape[2] == 1 else [None] * len(w)
    names = [_name(*row, adding) for row in zip(w, a, arrives, strict=True)]
    return np.where(runs.solved, "", names)


def _name(w: np.ndarray, a: np.ndarray, arrives: bool | None, adding: int) -> str:
    """Name the state of one network, weights (units, inputs) and (units,), as if it were not solved."""
    signs_right = (a > 0).sum() == adding
    if arrives is not None:
        return ON_ITS_WAY if arrives else OUT_OF_REACH if signs_right else WRONG_SIGNS
    distance, outgoing = idle_unit(w, a, adding)
    if signs_right:
        return ON_ITS_WAY if distance > ALIGNED else OUT_OF_REACH
    if distance < KEEPS_ITS_SIGN * outgoing:
        return WRONG_SIGNS
    # The second number is derived for a linear function, of two units; for others it only warns.
    return ON_ITS_WAY if distance > CHANGES_ITS_SIGN * outgoing and len(a) == 2 else UNDECIDED


def idle_unit(w: np.ndarray, a: np.ndarray, adding: int) -> tuple[float, float]:
    """Return two numbers of the unit that counts least, |a| ‖w‖: its distance from the others, and its |a|.

    It is sought among the units of the sign of which there are too many, if there are, else among all. The distance is
    that of its w from the cone of the others' (their sums with factors >= 0): of those of its own sign in the first
    case, of the opposite sign in the second. It is 0 where the unit is on only where one of them is on too.

    >>> import numpy as np
    >>> idle_unit(np.array([[1.0, 1.0], [0.1, 0.0]]), np.array([1.4, 0.05]), adding=1)  # two add, and should not
    (0.0707..., 0.05)
    """
    adds = a > 0
    too_many = adds if adds.sum() > adding else ~adds if adds.sum() < adding else np.ones_like(adds)
    idle = min(np.flatnonzero(too_many), key=lambda j: abs(a[j]) * np.linalg.norm(w[j]))
    others = (adds == adds[idle]) == (adds.sum() != adding)
    others[idle] = False
    cone = w[others] if others.any() else np.zeros_like(w[:1])
    return float(nnls(cone.T, w[idle])[1]), float(abs(a[idle]))
