"""Names of hidden units and of what they do together, and closed forms: a network's weights put into words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mathcircuits.forms import canonical, lines, snap, spread
from mathcircuits.network import Network, linear_formula, node_names

Terms = list[tuple]  # what a sum is made of: pairs (coefficient, text)
LONGEST = 60  # characters of a formula inside the name of a unit
LARGEST = 24  # hidden units of a deep network up to which it is written out


class Neuron(NamedTuple):
    """One hidden unit of the network that was read. Layers and units count from 1, as in its equations.

    Attributes:
        kind: "positiveness", "negativeness", "greaterness", "always on", "dead", "duplicate" or "unrecognised".
        name: in words, such as "greaterness of x1 over x2".
        direction: incoming weights, then the bias, the largest \\|weight\\| 1: the ideal ones, exact, if the unit is
            recognised by them, else its own.
        scale: its largest \\|incoming weight\\|, so that weights are about scale times direction.
        distance: how far a number of its own direction is from the ideal at most; 0 if there is no ideal.
    """

    layer: int
    index: int
    kind: str
    name: str
    direction: tuple
    scale: float
    distance: float


class Circuit(NamedTuple):
    """Units of one layer that bend along one line, and what they do together. Layers and units count from 1."""

    name: str
    layer: int
    units: tuple[int, ...]


def nearest(values, max_denominator: int) -> tuple[Fraction, ...]:
    """The nearest small fractions."""
    return tuple(Fraction(v).limit_denominator(max_denominator) for v in values)


def number(value) -> str:
    """A Fraction in full, a float with three decimals, and 0 for what would print as 0.000."""
    text = linear_formula([], value, []).replace("-", "−")
    return "0" if text in ("0.000", "−0.000") else text


def listed(items: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def shortened(text: str, longest: int = 120) -> str:
    return text if len(text) <= longest else text[: longest - 2] + " …"


def _text(terms: Terms, constant) -> str:
    first = next((i for i, (c, _) in enumerate(terms) if c > 0), 0)  # x2 − x1, not −x1 + x2
    terms = [terms[first], *terms[:first], *terms[first + 1 :]] if terms else []
    return linear_formula([c for c, _ in terms], constant, [name for _, name in terms]).replace("-", "−")


def _inputs(values: Sequence) -> Terms:
    return [(v, name) for v, name in zip(values, node_names([len(values), 1])[0], strict=True) if v != 0]


def sum_of_inputs(values: Sequence) -> str:
    return _text(_inputs(values), 0)


def formula(network: Network) -> str:
    """The outputs in closed form; pairs of units that are linear are written as what they pass on.

    >>> from mathcircuits import circuits
    >>> formula(circuits.minimum_mirror())
    'x2 − relu(x2 − x1)'
    """
    k, rows = len(network.weights) - 1, zip(network.weights[-1], network.biases[-1], strict=True)
    return ", ".join(_text(*_terms(network, k, row, bias)) for row, bias in rows)


def _terms(network: Network, k: int, row, bias, *, fold: bool = False) -> tuple[Terms, object]:
    """Σ row · (hidden layer k) + bias as terms and a constant; pairs that are linear are written as what they pass on.

    With ``fold``, x1 - relu(x1 - x2) is written min(x1, x2), and x2 + relu(x1 - x2) max(x1, x2).
    """
    if k == 0:
        return _inputs(row), bias
    rows = np.column_stack([network.weights[k - 1], network.biases[k - 1]])
    size = abs(rows[:, :-1]).max(axis=1)
    flat = size * abs(row) == 0
    bias = bias + (row * np.maximum(rows[:, -1], 0))[flat].sum()
    rows, out = rows[~flat] / size[~flat, None], (row * size)[~flat]
    line, bends = np.append(0 * network.weights[k - 1][0], bias), []
    for group in lines(rows, abs(out), 0):
        z = rows[group[0][0]]
        plus, minus = (sum(out[j] for j, sign in group if sign == side) for side in (1, -1))
        if plus == -minus:
            line = line + plus * z
        else:
            sides = [(plus, z, "|{}|")] if plus == minus else [(plus, z, "relu({})"), (minus, -z, "relu({})")]
            bends += [side for side in sides if side[0] != 0]
    inner, constant = _terms(network, k - 1, line[:-1], line[-1], fold=fold)
    passed, terms = {name: c for c, name in inner}, []
    for c, z, shape in bends:
        within, shift = _terms(network, k - 1, z[:-1], z[-1], fold=fold)
        text = shape.format(_text(within, shift))
        if fold and shift == 0 and sorted(v for v, _ in within) == [-1, 1] and shape != "|{}|":
            (_, second), (_, first) = sorted(within)
            if -passed.get(first, 0) / c >= 1:
                passed[first], c, text = passed[first] + c, -c, _extreme("min", first, second)
            elif passed.get(second, 0) / c >= 1:
                passed[second], text = passed[second] - c, _extreme("max", first, second)
        terms.append((c, text))
    return [(c, name) for name, c in passed.items() if c != 0] + terms, constant


def _extreme(which: str, *names: str) -> str:
    inside = [name.removeprefix(f"{which}(").removesuffix(")") if name.startswith(which) else name for name in names]
    return f"{which}({', '.join(sorted(inside))})"


def _feature(terms: Terms, constant) -> tuple[str, str]:
    """The kind and the name of relu(terms + constant)."""
    if len(terms) == 2 and terms[0][0] == -terms[1][0] and constant == 0:
        (_, first), (_, second) = sorted(terms, key=lambda term: term[0], reverse=True)
        return "greaterness", f"greaterness of {first} over {second}"
    if terms and terms[0][0] < 0:
        return "negativeness", f"negativeness of {_text([(-c, name) for c, name in terms], -constant)}"
    return "positiveness", f"positiveness of {_text(terms, constant)}"


def name_units(given: Network, box, slack: float, nearness: float, max_denominator: int):
    """Name every hidden unit and what units along one line do together.

    Args:
        box: (low, high) of each input.
        slack: what makes less difference than this counts as none, or as the same; 0 for exact networks.
        nearness, max_denominator: how near to which fractions a direction or coefficient must be to be named by them.

    Returns:
        The names, layer by layer; the neurons; the circuits.
    """
    scaled, scales = _scaled(given)
    names, neurons, circuits = [], [], []
    for k, scale in enumerate(scales):
        rows, out = np.column_stack([scaled.weights[k], scaled.biases[k]]), scaled.weights[k + 1]
        reach = abs(out).max(axis=0)
        below, above = spread(rows, box)
        box = np.maximum(np.column_stack([below, above]), 0)
        dead, linear = reach * above <= slack, -below * reach <= slack
        signals = [*_signals(scaled, k, slack, nearness, max_denominator)]
        layer = [_neuron(k, j, rows[j], scale[j], signals[j], dead[j], linear[j]) for j in range(len(rows))]
        bending = np.flatnonzero(~dead & ~linear)
        along: dict[str, list] = {}  # for each line: which units bend along it, and which way they face
        for group in lines(rows[bending], reach[bending], slack):
            terms, constant, *_ = signals[bending[group[0][0]]]
            facing = -1 if terms[0][0] < 0 else 1
            text = _text([(facing * c, name) for c, name in terms], facing * constant)
            along.setdefault(text, []).extend((int(bending[j]), facing * sign) for j, sign in group)
        for text, members in along.items():
            sides = [sorted(j for j, sign in members if sign == side) for side in (1, -1)]
            single = k == len(scales) - 1 and len(out) == 1
            name = _circuit(text, [out[:, side].sum(axis=1) for side in sides], sides, layer, nearness, single)
            circuits.append(Circuit(name, k + 1, tuple(sorted(j + 1 for j, _ in members))))
            for first, *others in filter(None, sides):
                for j in others:
                    layer[j] = layer[j]._replace(kind="duplicate", name=f"duplicate of unit {first + 1}")
        circuits += [Circuit(layer[j].name, k + 1, (int(j) + 1,)) for j in np.flatnonzero(linear & ~dead)]
        names.append([neuron.name for neuron in layer])
        neurons += layer
    return names, tuple(neurons), tuple(sorted(circuits, key=lambda circuit: (circuit.layer, circuit.units)))


def _scaled(network: Network) -> tuple[Network, list[np.ndarray]]:
    """The same network, the largest |incoming weight| of every hidden unit 1, and what it was."""
    weights, biases, scales = list(network.weights), list(network.biases), []
    for k in range(len(weights) - 1):
        scales.append(abs(weights[k]).max(axis=1))
        size = np.where(scales[k] == 0, 1, scales[k])
        weights[k], biases[k], weights[k + 1] = weights[k] / size[:, None], biases[k] / size, weights[k + 1] * size
    return Network(weights, biases), scales


def _signals(scaled: Network, k: int, slack: float, nearness: float, max_denominator: int) -> Iterator[tuple]:
    """What each unit takes the positive part of: terms, constant, ideal direction (or None), distance from it."""
    rows = np.column_stack([scaled.weights[k], scaled.biases[k]])
    inputs = node_names(scaled.widths)[k]
    below = canonical(Network(scaled.weights[: k + 1], scaled.biases[: k + 1]), tolerance=slack)
    for row, out, bias in zip(rows, below.weights[-1], below.biases[-1], strict=True):
        ideal = row if scaled.exact else np.array(nearest(row, max_denominator))
        distance = float(abs(row - ideal).max())
        if distance > nearness:
            ideal, distance = None, 0.0
        *values, constant = row if ideal is None else ideal
        terms = [(v, name) for v, name in zip(values, inputs, strict=True) if v != 0]
        size = abs(out).max()
        if k and size > slack and sum(below.widths[1:-1]) <= LARGEST:
            # In terms of the inputs, if that is short.
            own = canonical(Network([*below.weights[:-1], [out / size]], [*below.biases[:-1], [bias / size]]))
            own, off = (own, 0.0) if own.exact else snap(own, max_denominator=max_denominator)
            own = canonical(own)
            found = _terms(own, k, own.weights[-1][0], own.biases[-1][0], fold=True)
            if off <= nearness and found[0] and len(_text(*found)) <= LONGEST:
                (terms, constant), ideal, distance = found, row, off
        yield terms, constant, ideal, distance


def _neuron(k: int, j: int, row: np.ndarray, scale, signal: tuple, dead: bool, linear: bool) -> Neuron:
    terms, constant, ideal, distance = signal
    kind, name = _feature(terms, constant) if ideal is not None else ("unrecognised", "unrecognised")
    if dead:
        kind = name = "dead"
    elif linear:
        kind, name = "always on", f"always on: {_text(terms, constant)}"
    return Neuron(k + 1, j + 1, kind, name, tuple((row if ideal is None else ideal).tolist()), float(scale), distance)


def _circuit(text: str, totals: list, sides: list, layer: list[Neuron], near: float, single: bool) -> str:
    """What units along one line do together: relu(z) times totals[0] and relu(-z) times totals[1], z being the text."""
    plus, minus = totals
    weight = plus[0] if single else 1
    if max(abs(plus).max(), abs(minus).max()) <= near:
        return f"pair that cancels, along {text}"
    if abs(plus + minus).max() <= near:
        if abs(abs(weight) - 1) <= near:
            return f"{'negative ' if weight < 0 else ''}reconstructor of {text}"
        return f"linear pair, {number(weight)} times {text}"
    for side, total, other in ((0, plus, minus), (1, minus, plus)):
        if abs(other).max() <= near:
            neuron = layer[sides[side][0]]
            name = f"bend along {text} = 0" if neuron.kind == "unrecognised" else neuron.name
            return name + (f", {'added' if total[0] > 0 else 'subtracted'}" if single else "")
    return f"absolute value of {text}" if abs(plus - minus).max() <= near else f"bend along {text} = 0"
