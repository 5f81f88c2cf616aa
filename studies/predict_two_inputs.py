"""The study of notebook 16: what each seed of two inputs will do, foretold and then trained.

    python studies/predict_two_inputs.py [outcomes] [pairs] [wide] [wrong] [shares] [map]

Each part writes one table, notebooks/data/two_inputs_<part>.csv, whole or not at all; without an argument all are made,
on one core in about an hour. Trainings are kept in studies/kept/, under a name that changes with the code that
made them, so a part can be made again without training again.

* outcomes: every function, 1,000 fresh seeds, two rates, two streams of batches. Of each seed six digits, 1 for solved,
  at rate 0.1 and then at 0.02: foretold, trained, trained with other batches. Then, at both rates, how far the incoming
  weights ended from where they were foretold, and the two trainings from each other, in whole thousandths, 99 at most.
  For the minimum the circuit that the first training found.
* wide: the same at rate 0.1 for the minimum with more units.
* wrong: every seed foretold wrongly, and some that were not, at rate 0.1: how many of nine further trainings, with
  other batches, end as foretold; by which share of themselves random changes must move the first weights until one of
  50 turns the forecast; the first of some steps from which on the forecast, begun with the weights of that step, is
  right.
* shares: how many of 100,000 initial networks will be solved, foretold, and how many of 1,000 are, trained.
* pairs: for |x1| + |x2|, whether six trainings with different batches solve each seed.
* map: the outcome over a section through the space of initial weights, a letter a network, for two seeds.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import sys
from pathlib import Path

import numpy as np

from mathcircuits import FUNCTIONS, Network, canonical, predict, snap, train
from mathcircuits.naming import formula

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "studies/kept"
NAMES = ["addition", "subtraction", "minimum", "maximum", "distance", "absolute_sum", "absolute_maximum"]
SEEDS = range(700_000, 701_000)  # no rule was looked for on these
RATES = (0.1, 0.02)
WIDE = {4: 1000, 8: 1000, 16: 200}  # so many seeds
WIDTHS = {"addition": (2, 3, 4), "minimum": (3, 4), "distance": (2,), "absolute_sum": (4,), "absolute_maximum": (4,)}
DRAWN = 100_000
SHIFTS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
MOMENTS = (0, 100, 200, 500, 1000, 2000)
MAPS, SIDE = (700_000, 700_001), 140  # seeds with a map, and points of a map each way
STREAMS = 6
CODE, FORETELLING = ["training.py", "functions.py"], ["prediction.py", "wedges.py"]


def recipe(name: str, lr: float) -> dict:
    """The rate, and as many steps as take every rate equally far."""
    return {"lr": lr, "steps": round((1000 if name == "minimum" else 500) / lr)}


def trained(name: str, lr: float, batch_seed: int, *, units: int = 0, seeds=SEEDS, steps: int = 0) -> dict:
    """Return the weights and outcomes of runs as arrays; kept on disk."""
    function = FUNCTIONS[name]
    units, settings = units or function.widths[1], recipe(name, lr)
    settings["steps"] = steps or settings["steps"]
    code = b"".join((ROOT / "mathcircuits" / file).read_bytes() for file in CODE)
    key = repr((name, settings, batch_seed, units, list(seeds)))
    path = KEPT / f"{name}-{hashlib.sha256(code + key.encode()).hexdigest()[:16]}.npz"
    if not path.exists():
        KEPT.mkdir(exist_ok=True)
        runs = train(function, seeds=seeds, widths=(2, units, 1), batch_seed=batch_seed, records=1, **settings)
        (w0, a0), (w, a) = runs.initial, runs.final
        partial = path.with_name(f"{os.getpid()}.npz")
        np.savez(partial, w0=w0, a0=a0, w=w, a=a, solved=runs.solved, loss=runs.loss[:, -1])
        os.replace(partial, path)
    with np.load(path) as kept:
        return dict(kept)


def foretold(name: str, runs: dict, lr: float):
    return predict(FUNCTIONS[name], (runs["w0"], runs["a0"]), **recipe(name, lr))


def apart(w: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How far the incoming weights of each seed are apart at most, in thousandths."""
    return np.minimum(1000 * abs(w - v).max((1, 2)), 99).astype(int)


def outcome_columns(name: str, lr: float, units: int = 0, seeds=SEEDS) -> tuple:
    """Return the digits and the two distances of every seed, and the first runs."""
    first, second = (trained(name, lr, batch_seed, units=units, seeds=seeds) for batch_seed in (0, 1))
    guess = foretold(name, first, lr)
    digits = np.column_stack([guess.solved, first["solved"], second["solved"]]).astype(int)
    return digits, apart(guess.final[0], first["w"]), apart(second["w"], first["w"]), first


def circuit(w: np.ndarray, a: np.ndarray) -> str:
    return formula(snap(canonical(Network([w, a]))).network)


def outcomes():
    yield "function", "seed", "solved", "off", "between", "off_slow", "between_slow", "circuit"
    for name in NAMES:
        fast, slow = (outcome_columns(name, lr) for lr in RATES)
        for k, seed in enumerate(SEEDS):
            digits = "".join(map(str, [*fast[0][k], *slow[0][k]]))
            runs = fast[3]
            shown = circuit(runs["w"][k], runs["a"][k]) if name == "minimum" and runs["solved"][k] else ""
            yield name, seed, digits, fast[1][k], fast[2][k], slow[1][k], slow[2][k], shown


def wide():
    yield "units", "seed", "solved", "off", "between"
    for units, n in WIDE.items():
        digits, off, between, _ = outcome_columns("minimum", RATES[0], units, SEEDS[:n])
        for seed, three, *distances in zip(SEEDS[:n], digits, off, between, strict=True):
            yield units, seed, "".join(map(str, three)), *distances


def turning(name: str, w0: np.ndarray, a0: np.ndarray, says: bool, seed: int) -> float | str:
    """The smallest of SHIFTS by which one of 50 random changes turns the forecast of one network; "" if none does."""
    random = np.random.default_rng(seed)
    for shift in SHIFTS:
        changed = [layer * (1 + shift * random.normal(size=(50, *layer.shape))) for layer in (w0, a0)]
        if (predict(FUNCTIONS[name], changed, **recipe(name, RATES[0])).solved != says).any():
            return shift
    return ""


def wrong():
    yield "function", "seed", "right", "loss", "as_foretold", "turns_at", "right_from"
    lr = RATES[0]
    for name in NAMES:
        runs = trained(name, lr, 0)
        guess, steps = foretold(name, runs, lr), recipe(name, lr)["steps"]
        at_fault = np.flatnonzero(guess.solved != runs["solved"])
        others = np.random.default_rng(0).choice(np.flatnonzero(guess.solved == runs["solved"]), 20, replace=False)
        chosen = [*at_fault, *sorted(others)]
        seeds = [SEEDS[k] for k in chosen]
        again = [trained(name, lr, batch_seed, seeds=seeds)["solved"] for batch_seed in range(1, 10)]
        says, is_so = guess.solved[chosen], runs["solved"][chosen]
        later = {0: says}
        for moment in MOMENTS[1:]:
            on = trained(name, lr, 0, seeds=seeds, steps=moment)
            left = {"lr": lr, "steps": steps - moment}
            later[moment] = predict(FUNCTIONS[name], (on["w"], on["a"]), **left).solved
        hits = np.array([later[moment] == is_so for moment in MOMENTS])
        for i, k in enumerate(chosen):
            misses = np.flatnonzero(~hits[:, i])
            since = 0 if not len(misses) else MOMENTS[misses[-1] + 1] if misses[-1] + 1 < len(MOMENTS) else ""
            turns = turning(name, runs["w0"][k], runs["a0"][k], says[i], SEEDS[k])
            agree = int(sum(solved[i] == says[i] for solved in again))
            yield name, SEEDS[k], int(is_so[i] == says[i]), f"{runs['loss'][k]:.2g}", agree, turns, since


def drawn(name: str, units: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Initial weights of n networks, as PyTorch draws them."""
    random = np.random.default_rng([NAMES.index(name), units])
    shapes = (n, units, 2), (n, 1, units)
    return tuple(random.uniform(-1, 1, shape) / np.sqrt(shape[2]) for shape in shapes)


def share(name: str, units: int) -> int:
    """How many of DRAWN networks are foretold as solved; kept on disk."""
    code = b"".join((ROOT / "mathcircuits" / file).read_bytes() for file in (*CODE, *FORETELLING))
    key = hashlib.sha256(code + repr((name, units, DRAWN)).encode()).hexdigest()[:16]
    path = KEPT / f"share-{name}-{units}-{key}.txt"
    if not path.exists():
        KEPT.mkdir(exist_ok=True)
        solved = predict(FUNCTIONS[name], drawn(name, units, DRAWN), **recipe(name, RATES[0])).solved
        path.write_text(str(solved.sum()))
        print(path.name, solved.sum(), flush=True)
    return int(path.read_text())


def shares():
    yield "function", "units", "drawn", "foretold", "seeds", "solved"
    for name, widths in WIDTHS.items():
        for units in widths:
            solved = trained(name, RATES[0], 0, units=units)["solved"]
            yield name, units, DRAWN, share(name, units), len(SEEDS), int(solved.sum())


def section(seed: int, one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Initial weights of the minimum: those of a seed, with units 1 and 2 turned to two angles for each network.

    >>> w, a = section(700_000, np.array([0, np.pi / 2]), np.zeros(2))
    >>> (w[:, :2] / np.linalg.norm(w[:, :2], axis=2, keepdims=True)).round(6).tolist()
    [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]]
    """
    start = train(FUNCTIONS["minimum"], seeds=[seed], steps=1).initial
    (w,), (a,) = (layer.double().numpy() for layer in start)
    turned = np.tile(w, (len(one), 1, 1))
    for unit, angle in ((0, one), (1, two)):
        turned[:, unit] = np.linalg.norm(w[unit]) * np.column_stack([np.cos(angle), np.sin(angle)])
    return turned, np.tile(a, (len(one), 1, 1))


def letters(guess) -> list[str]:
    """One letter a network: the circuit 1 or 2 that it finds, - for another, and which corners it loses, a to p."""
    named = {"x1 − relu(x1 − x2)": "1", "x2 − relu(x2 − x1)": "2"}
    corners = ("(1, 1)", "(1, −1)", "(−1, 1)", "(−1, −1)")
    lost = ["abcdefghijklmnop"[sum(2**k for k, c in enumerate(corners) if c in text)] for text in guess.lost]
    return [named.get(c, "-") if s else f for s, c, f in zip(guess.solved, guess.circuit, lost, strict=True)]


def pairs():
    yield "seed", "solved"
    solved = [trained("absolute_sum", RATES[0], batch_seed)["solved"] for batch_seed in range(STREAMS)]
    for seed, digits in zip(SEEDS, np.transpose(solved).astype(int), strict=True):
        yield seed, "".join(map(str, digits))


def section_map():
    yield "seed", "outcomes"
    angles = 2 * np.pi * np.arange(SIDE) / SIDE - np.pi
    for seed in MAPS:
        for two in angles:
            weights = section(seed, angles, np.full(SIDE, two))
            yield seed, "".join(letters(predict(FUNCTIONS["minimum"], weights, **recipe("minimum", RATES[0]))))


PARTS = {part.__name__: part for part in (outcomes, pairs, wide, wrong, shares)} | {"map": section_map}


def write(part: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(PARTS[part]())
    table = ROOT / f"notebooks/data/two_inputs_{part}.csv"
    partial = table.with_name(f".{table.name}.{os.getpid()}")
    partial.write_text(text.getvalue(), encoding="utf-8")
    os.replace(partial, table)
    print(f"{table.name}: {text.getvalue().count(chr(10)) - 1:,} rows", flush=True)


if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        write(part)
