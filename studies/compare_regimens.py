"""The study of notebook 12: which regimens of training end in the optimal circuit?

    python studies/compare_regimens.py      makes every run of the design and writes notebooks/data/regimens.csv

It takes some minutes on two cores. Finished runs are kept in build/: after an interruption, the same command goes on
from there. The table is written once all runs are done, whole. Runs kept by other code than the present are not used.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import multiprocessing
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from tqdm import tqdm

import mathcircuits
from mathcircuits import (
    FUNCTIONS,
    Function,
    Network,
    canonical,
    optimal,
    prove_equal,
    read,
    snap,
    train,
    train_optimal,
)
from mathcircuits.training import Runs, pytorch_init

ROOT = Path(__file__).resolve().parents[1]
TABLE, PART = ROOT / "notebooks/data/regimens.csv", ROOT / "build/regimens.part.csv"
NAMES = ["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum", "minimum_of_four"]
STEPS, BATCH = 1000, 32  # of the optimisers that go by gradients
NEWTON_STEPS, NEWTON_INPUTS = 40, 256  # of Gauss-Newton, which sees the same inputs at every step

# --- the factors ------------------------------------------------------------------------------------------------------


def _normal(gain: float, xavier: bool, seed, widths, bias):
    rng = np.random.default_rng(seed)
    fans = [n_in + n_out if xavier else n_in for n_in, n_out in pairwise(widths)]
    weights = [
        gain / math.sqrt(fan) * rng.normal(size=(n_out, n_in))
        for fan, (n_in, n_out) in zip(fans, pairwise(widths), strict=True)
    ]
    return weights, [np.zeros(n) for n in widths[1:]]


def orthogonal(seed, widths, bias):
    """Rows or columns, whichever are fewer, at right angles; of length √2 before a ReLU (Saxe and others 2014)."""
    rng, weights = np.random.default_rng(seed), []
    for layer, (n_in, n_out) in enumerate(pairwise(widths)):
        q, r = np.linalg.qr(rng.normal(size=(max(n_in, n_out), min(n_in, n_out))))
        q = q * np.sign(np.diag(r))
        weights.append((q if n_out >= n_in else q.T) * (math.sqrt(2) if layer < len(widths) - 2 else 1))
    return weights, [np.zeros(n) for n in widths[1:]]


def mirrored(seed, widths, bias):
    """PyTorch's, but every second hidden unit looks the other way: its incoming weights are minus those before it."""
    weights, biases = pytorch_init(seed, widths, bias)
    for w in weights[:-1]:
        w[1::2] = -w[: len(w) // 2 * 2 : 2]
    return weights, biases


def balanced(seed, widths, bias):
    """PyTorch's, but every hidden unit scaled so that its incoming and its outgoing weights are of the same length."""
    weights, biases = pytorch_init(seed, widths, bias)
    weights = [w.double().numpy() for w in weights]  # whose square roots are the same on every processor
    for w, out in [*pairwise(weights)] * (1 if len(widths) == 3 else 50):  # to balance one layer tips the one before
        c = np.sqrt(np.sqrt((out**2).sum(0)) / np.sqrt((w**2).sum(1)))
        w *= c[:, None]
        out /= c
    return weights, biases


INITS = {
    "pytorch": pytorch_init,
    "he": partial(_normal, math.sqrt(2), False),
    "xavier": partial(_normal, math.sqrt(2), True),
    "orthogonal": orthogonal,
    "mirrored": mirrored,
    "balanced": balanced,
}
# For each optimiser its class with its options, and its middle learning rate.
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, 0.3),
    "momentum": (partial(torch.optim.SGD, momentum=0.9), 0.05),
    "adam": (torch.optim.Adam, 0.03),
    "adamw": (torch.optim.AdamW, 0.03),
    "gauss-newton": (None, None),
}
WIDTHS = (1, 2, 4, 16)  # times the hidden units of the smallest network
DECAYS = (0.0, 1e-4, 1e-3)
RATES = (0.3, 1, 3)  # times the middle learning rate of the optimiser
SCHEDULES = ("constant", "cosine")


def with_schedule(optimizer: str, schedule: str, steps: int):
    """What ``train`` takes as an optimizer: of this kind, its rate constant or falling along a cosine to zero."""

    def make(parameters, lr, weight_decay):
        result = OPTIMIZERS[optimizer][0](parameters, lr=lr, weight_decay=weight_decay)
        if schedule == "cosine":
            falling = torch.optim.lr_scheduler.CosineAnnealingLR(result, steps)
            result.register_step_post_hook(lambda *_: falling.step())
        return result

    return make


# --- the design -------------------------------------------------------------------------------------------------------

PARTS = ("restarts", "width", "decay", "choice", "repair", "polish", "zeros")
FACTORS = ("function", "regimen", "optimizer", "init", "width", "decay", "rate", "schedule", "seeds")
SCORES = ("solved", "read", "smallest", "exact")


def design() -> list[dict]:
    """Every run: its regimen ("plain", "recipe", or "no ..." with a part of the recipe left out), factors and seeds.

    The plain runs are half of all combinations of optimiser, initial weights and width: those whose levels, counted
    from 0, have an even sum. Decay, rate and schedule go round by rules, which were found by a search: every level of
    every factor meets every level of every other about equally often, and every three of optimiser, width, decay, rate
    and schedule meet at all their levels. (Gauss-Newton has no rate and no schedule, and meets every decay at every
    width.) Not so with initial weights: what they do together with two others cannot be told from what these do. And as
    half is left out, the odd levels of one large factor against its even ones cannot be told from what the other two do
    together.

    Decay is PyTorch's, the derivative of half of it times the sum of squares, in plain runs; in the others the argument
    of ``train_optimal``.
    """
    runs = []
    for name in NAMES:
        smallest = FUNCTIONS[name].widths
        for o, optimizer in enumerate(OPTIMIZERS):
            for w, width in enumerate(WIDTHS):
                for i, init in enumerate(INITS):
                    if (o + w + i) % 2 or _too_large(name, optimizer, width):
                        continue
                    by_rate, turned = optimizer != "gauss-newton", i // 2 == (o % 2 + 2 * (w // 2) + 1) % 3
                    runs.append(
                        {
                            "function": name,
                            "regimen": "plain",
                            "optimizer": optimizer,
                            "init": init,
                            "width": width,
                            "decay": DECAYS[(i // 2 + o % 2 + 2 * (o // 2 + w // 2)) % 3],
                            "rate": RATES[2 * (i // 2 + o // 2 + w - w // 2) % 3] if by_rate else "",
                            "schedule": SCHEDULES[(o // 2 + w + w // 2 + turned) % 2] if by_rate else "",
                            "seeds": 1000 if smallest[0] * sum(smallest[1:-1]) * width <= 4 else 200,
                        }
                    )
        for part in ("", *PARTS):
            four = name == "minimum_of_four"
            runs.append(
                {
                    "function": name,
                    "regimen": f"no {part}" if part else "recipe",
                    "optimizer": "gauss-newton",
                    "init": "pytorch",
                    "width": 1 if part == "width" else 2,
                    "decay": 0.0 if part == "decay" else 1e-5,
                    "rate": "",
                    "schedule": "",
                    "seeds": 200 if four or part else 1000,
                }
            )
    return runs


def _too_large(name: str, optimizer: str, width: int) -> bool:
    """What would take as long as all the rest: the minimum of four with thousands of weights."""
    return name == "minimum_of_four" and width > (2 if optimizer == "gauss-newton" else 4)


# --- one run ----------------------------------------------------------------------------------------------------------


def make(run: dict) -> dict:
    """Return a run of the design with its scores: of how many seeds each is true."""
    torch.set_num_threads(1)
    return run | scores(runs_of(run))


def runs_of(run: dict) -> Runs:
    function, seeds = FUNCTIONS[run["function"]], range(run["seeds"])
    if run["regimen"] != "plain":
        return recipe(function, seeds, run["regimen"].removeprefix("no "))
    widths = wide(function, run["width"])
    options = {"seeds": seeds, "widths": widths, "init": INITS[run["init"]]}
    if run["optimizer"] == "gauss-newton":
        return newton(function, decay=run["decay"] / 2, **options)  # PyTorch's decay is the derivative of half of it
    return train(
        function,
        steps=STEPS,
        batch_size=BATCH,
        lr=OPTIMIZERS[run["optimizer"]][1] * run["rate"],
        optimizer=with_schedule(run["optimizer"], run["schedule"], STEPS),
        weight_decay=run["decay"],
        records=1,
        progress=False,
        **options,
    )


def wide(function: Function, width: int) -> tuple[int, ...]:
    """The widths of the smallest network, its hidden layers so many times as wide."""
    first, *hidden, last = function.widths
    return (first, *(width * n for n in hidden), last)


def newton(function: Function, *, seeds, widths, init, decay) -> Runs:
    """Nothing but the descent of ``train_optimal``: no pruning, no polish, no second attempt."""
    with mock.patch.multiple(optimal, FIT=NEWTON_STEPS, POLISH=0, _simplify=lambda weights, *_: weights):
        options = {"wide": 1, "attempts": 1, "n_inputs": NEWTON_INPUTS, "progress": False}
        return train_optimal(function, seeds=seeds, widths=widths, init=init, decay=decay, **options)


def recipe(function: Function, seeds, without: str) -> Runs:
    """``train_optimal``, or one attempt of it without one of PARTS. No repair is none after freeing a weight either."""
    options = {"attempts": 1} if without in PARTS else {}
    options |= {"width": {"wide": 1}, "decay": {"decay": 0.0}}.get(without, {})
    changed = {
        "choice": {"_remove": _remove_any},
        "repair": {"REPAIR": 0},
        "polish": {"POLISH": 0},
        "zeros": {"_simplify": lambda weights, *_: weights},
    }.get(without, {})
    with mock.patch.multiple(optimal, **changed) if changed else nullcontext():
        return train_optimal(function, seeds=seeds, progress=False, **options)


_remove = optimal._remove


def _remove_any(weights, x, decay, candidates, zeroed, free=None, allowed=None):
    """Instead of the unit that costs least, the first one, and nothing makes up for it at once."""
    if free is not None:
        return _remove(weights, x, decay, candidates, zeroed, free, allowed)
    parameters = optimal._flatten(weights)
    return parameters, torch.zeros(len(parameters), dtype=torch.long)


# --- its scores -------------------------------------------------------------------------------------------------------


def scores(runs: Runs) -> dict:
    """Of how many seeds each is true. A network with a loss of 1e-4 or more is none of them.

    solved: the loss is below 1e-6.
    smallest: solved, and once dead units are dropped and those of one direction merged, no layer has more units than
        in the smallest network. Directions count as one if they agree within 0.01.
    read: the network so reduced is as small as that, and ``read`` finds it near a circuit proved to be the function.
    exact: so near (1e-6) that rounding takes the weights to a smallest network proved to be the function.
    """
    counts, function = dict.fromkeys(SCORES, 0), runs.function
    for row in np.flatnonzero(runs.loss[:, -1] < 1e-4):  # with a larger loss nothing is read as its function
        network = canonical(runs.network(runs.seeds[row]), tolerance=0.01)
        counts["solved"] += bool(runs.solved[row])
        if all(n <= most for n, most in zip(network.widths, function.widths, strict=True)):
            snapped = snap(network)
            optimal = is_smallest(snapped.network, function.name)
            counts["smallest"] += bool(runs.solved[row])
            counts["exact"] += optimal and snapped.distance < 1e-6
            # What read tries first, at less cost; it finds whatever this finds.
            found = optimal and largest_error(network, function) <= 0.05
            counts["read"] += found or read(network).function == function.name
    return counts


def largest_error(network: Network, function: Function) -> float:
    """On a grid of about 1,000 inputs."""
    x = function.grid(1000).T
    return float(np.abs(network(*x) - function(*x)).max())


@cache
def is_smallest(network: Network, name: str) -> bool:
    """Proved to be the function, and as small as the smallest."""
    function = FUNCTIONS[name]
    return network.widths == function.widths and bool(prove_equal(network, function))


# --- all of them ------------------------------------------------------------------------------------------------------


def make_all(runs: Iterable[dict], *, processes: int = 2) -> Iterator[dict]:
    """Make runs in processes side by side, and give each with its scores, in order, as soon as it is there."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as executor:
        try:
            yield from executor.map(make, runs)
        finally:
            executor.shutdown(cancel_futures=True)


def key(run: dict) -> tuple:
    """What tells a run from all others, as text."""
    return tuple(str(run[factor]) for factor in FACTORS)


def fingerprint() -> str:
    """Of all code that a run depends on."""
    sources = sorted(Path(mathcircuits.__file__).parent.glob("*.py")) + [Path(__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def kept(path: Path) -> dict[tuple, dict]:
    """The runs that an interrupted study of the same code has left, by key; the last line may be torn, and is not."""
    if not path.exists():
        return {}
    head, *lines = path.read_text(encoding="utf-8").split("\n")
    if head != fingerprint():
        return {}
    rows = csv.DictReader(io.StringIO("\n".join(lines[:-1])), FACTORS + SCORES)
    return {key(row): row for row in rows}


def study(runs: list[dict], table: Path = TABLE, part: Path = PART) -> None:
    """Make all runs that are not kept in part yet, and then write the table, whole or not at all."""
    done = kept(part)
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(fingerprint() + "\n")
        writer = csv.DictWriter(file, FACTORS + SCORES, lineterminator="\n")
        writer.writerows(done.values())
        todo = [run for run in runs if key(run) not in done]
        made = make_all(todo, processes=os.cpu_count() or 1)
        for row in tqdm(made, "runs", len(runs), initial=len(done), disable=not sys.stderr.isatty()):
            writer.writerow(row)
            file.flush()
            done[key(row)] = row
    text = io.StringIO()
    writer = csv.DictWriter(text, FACTORS + SCORES, lineterminator="\n")
    writer.writeheader()
    writer.writerows(done[key(run)] for run in runs)
    table.parent.mkdir(parents=True, exist_ok=True)
    whole = table.with_suffix(f".{platform.node()}-{os.getpid()}.tmp")
    whole.write_text(text.getvalue(), encoding="utf-8", newline="")
    os.replace(whole, table)
    part.unlink()


if __name__ == "__main__":
    study(design())
    print(f"{TABLE.relative_to(ROOT)}: {len(design())} runs")
