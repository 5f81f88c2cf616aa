"""The study of notebook 12: which regimens of training end in the smallest network, how often, and at what cost?

    python studies/compare_regimens.py      makes every run of the design and writes notebooks/data/regimens.csv

It takes some minutes on two cores. Finished runs are kept in build/: after an interruption, even a sudden one, the same
command goes on from there. The table is written once all runs are done, whole. Runs kept by other code than the present
are not used.
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
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

import mathcircuits
from mathcircuits import (
    FUNCTIONS,
    Function,
    Network,
    OptimalRuns,
    Recipe,
    Runs,
    canonical,
    prove_equal,
    pytorch_init,
    read,
    snap,
    train,
    train_optimal,
)
from mathcircuits.optimal import stream
from mathcircuits.training import SOLVED_BELOW

ROOT = Path(__file__).resolve().parents[1]
TABLE, PART = ROOT / "notebooks/data/regimens.csv", ROOT / "build/regimens.part.csv"
SIX = ["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum"]
DEEP = ["minimum_of_three", "minimum_of_four"]  # which need two hidden layers
STEPS, BATCH = 1000, 32  # of the optimisers that go by gradients
NEWTON = Recipe(wide=1, fit=40, polish=0, simplify=False, attempts=1)  # Gauss-Newton and nothing else
NEWTON_INPUTS = 256  # which it sees at every step

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

FACTORS = ("function", "regimen", "optimizer", "init", "width", "decay", "rate", "schedule", "seeds", "most")
SCORES = ("solved", "read", "smallest", "exact")
COUNTS = ("attempts", "evaluations", "widths")
FIELDS = (*FACTORS, *SCORES, *COUNTS, "seconds")
FRESH = 100_000  # the first seed of all regimens but the plain ones, so that what was chosen by these is confirmed
MOST = 200  # attempts for a seed, for all regimens that may begin again

# Of each optimiser the plain regimen that takes the fewest attempts for a smallest network, on the mean of the six
# functions: `best` finds them in the table of plain runs.
BEST = [
    {"optimizer": "sgd", "init": "xavier", "width": 1, "decay": 1e-4, "rate": 3, "schedule": "cosine"},
    {"optimizer": "momentum", "init": "pytorch", "width": 2, "decay": 1e-4, "rate": 3, "schedule": "cosine"},
    {"optimizer": "adam", "init": "xavier", "width": 1, "decay": 0.0, "rate": 1, "schedule": "constant"},
    {"optimizer": "adamw", "init": "mirrored", "width": 2, "decay": 1e-3, "rate": 3, "schedule": "cosine"},
    {"optimizer": "gauss-newton", "init": "mirrored", "width": 1, "decay": 0.0, "rate": "", "schedule": ""},
]
# The recipe of ``train_optimal``, and what is left of it without one part. No repair is none after freeing a weight
# either.
RECIPES = {
    "recipe": Recipe(attempts=MOST),
    "narrow": Recipe(wide=1, decay=0.0, attempts=MOST),  # nothing to remove: Gauss-Newton, polish, zeros and restarts
    "one attempt": Recipe(attempts=1),
    "no width": Recipe(attempts=1, wide=1),
    "no decay": Recipe(attempts=1, decay=0.0),
    "no choice": Recipe(attempts=1, prune="first"),
    "no repair": Recipe(attempts=1, repair=0),
    "no polish": Recipe(attempts=1, polish=0),
    "no zeros": Recipe(attempts=1, simplify=False),
}
SEARCHED = [*SIX, "relu", "maximum", "absolute_sum", "sort_two", *DEEP, "median_of_three"]


def design() -> list[dict]:
    """Every run: its regimen, the levels of the factors, how many seeds, and the most attempts for each.

    "plain": one attempt of each of 60 regimens, half of all combinations of optimiser, initial weights and width: those
    whose levels, counted from 0, have an even sum. Decay, rate and schedule go round by rules, which were found by a
    search: every level of every factor meets every level of every other about equally often, and every three of
    optimiser, width, decay, rate and schedule meet at all their levels. (Gauss-Newton has no rate and no schedule, and
    meets every decay at every width.) Not so with initial weights: what they do together with two others cannot be told
    from what these do. And as half is left out, the odd levels of one large factor against its even ones cannot be told
    from what the other two do together.

    "best": the best plain regimen of each optimiser, on fresh seeds, with as many attempts as the recipe may make.
    "search": ``train_optimal`` that is not told the widths. The others: see RECIPES.

    Decay is PyTorch's, the derivative of half of it times the sum of squares, in "plain" and "best"; in the others it
    is that of the Recipe.
    """
    runs = []
    for name in [*SIX, DEEP[-1]]:
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
                            "seeds": 400 if smallest[0] * sum(smallest[1:-1]) * width <= 4 else 100,
                            "most": 1,
                        }
                    )
    for name in SIX + DEEP:
        few = 20 if name in DEEP else 200
        runs += [{"function": name, "regimen": "best", **levels, "seeds": few, "most": MOST} for levels in BEST]
        for regimen, recipe in RECIPES.items():
            seeds = {"recipe": 200 if name in DEEP else 1000, "narrow": few}.get(regimen, 200)
            runs.append(_by_recipe(name, regimen, recipe, seeds))
    return runs + [_by_recipe(name, "search", Recipe(attempts=MOST), 20) for name in SEARCHED]


def _by_recipe(name: str, regimen: str, recipe: Recipe, seeds: int) -> dict:
    levels = {"optimizer": "gauss-newton", "init": "pytorch", "width": recipe.wide, "decay": recipe.decay}
    rest = {"rate": "", "schedule": "", "seeds": seeds, "most": recipe.attempts}
    return {"function": name, "regimen": regimen, **levels, **rest}


def _too_large(name: str, optimizer: str, width: int) -> bool:
    """What would take as long as all the rest: the minimum of four with thousands of weights."""
    return name in DEEP and width > (2 if optimizer == "gauss-newton" else 4)


def best(table: Iterable[dict]) -> list[dict]:
    """Of each optimiser the plain regimen with the fewest attempts for a smallest network, on the mean of SIX.

    A share of 0 counts as infinitely many attempts.
    """
    attempts: dict[tuple, list[float]] = {}
    levels = FACTORS[2:8]
    for row in table:
        if row["regimen"] == "plain" and row["function"] in SIX:
            share = int(row["smallest"]) / int(row["seeds"])
            attempts.setdefault(tuple(str(row[level]) for level in levels), []).append(1 / share if share else math.inf)
    found = {}
    for regimen in sorted(attempts, key=lambda regimen: sum(attempts[regimen])):
        found.setdefault(regimen[0], dict(zip(levels, regimen, strict=True)))
    return [found[optimizer] for optimizer in OPTIMIZERS]


# --- one run ----------------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What the seeds of a run ended in, and what that took.

    networks: (network, loss) of each seed whose last attempt has a loss below 1e-4; with a larger one nothing is read
        as its function.
    attempts, evaluations: of all seeds together; the latter are inputs at which derivatives were evaluated.
    widths: those of the training, or found by a search.
    """

    networks: list[tuple[Network, float]]
    attempts: int
    evaluations: int
    widths: tuple[int, ...]


def make(run: dict) -> dict:
    """Return a run of the design with its scores, its counts, and the seconds of computing that its training took."""
    torch.set_num_threads(1)
    start = time.process_time()
    outcome = outcome_of(run)
    seconds = round(time.process_time() - start, 3)
    counts = {"attempts": outcome.attempts, "evaluations": outcome.evaluations}
    counts |= {"widths": "-".join(map(str, outcome.widths)), "seconds": seconds}
    return run | scores(outcome.networks, FUNCTIONS[run["function"]]) | counts


def outcome_of(run: dict) -> Outcome:
    if run["regimen"] in ("plain", "best"):
        return newton(run) if run["optimizer"] == "gauss-newton" else by_gradients(run)
    function, recipe = FUNCTIONS[run["function"]], RECIPES.get(run["regimen"], RECIPES["recipe"])
    widths = None if run["regimen"] == "search" else function.widths
    return _counted(train_optimal(function, seeds=seeds_of(run), widths=widths, recipe=recipe, progress=False))


def seeds_of(run: dict) -> range:
    first = 0 if run["regimen"] == "plain" else FRESH
    return range(first, first + run["seeds"])


def wide(function: Function, width: int) -> tuple[int, ...]:
    """The widths of the smallest network, its hidden layers so many times as wide."""
    first, *hidden, last = function.widths
    return (first, *(width * n for n in hidden), last)


def newton(run: dict) -> Outcome:
    """Nothing but the descent of ``train_optimal``: no pruning, no polish, no zeros."""
    function = FUNCTIONS[run["function"]]
    # PyTorch's decay is the derivative of half of it.
    recipe = replace(NEWTON, decay=run["decay"] / 2, attempts=run["most"])
    options = {"widths": wide(function, run["width"]), "init": INITS[run["init"]], "n_inputs": NEWTON_INPUTS}
    return _counted(train_optimal(function, seeds=seeds_of(run), recipe=recipe, progress=False, **options))


def by_gradients(run: dict) -> Outcome:
    """``train``, for each seed until it ends in the smallest network, or as often as it may.

    Each attempt draws its initial weights as ``train_optimal`` does, and its batches from a seed of its own.
    """
    function, widths, ends, attempts = FUNCTIONS[run["function"]], wide(FUNCTIONS[run["function"]], run["width"]), {}, 0
    todo = list(seeds_of(run))
    for attempt in range(run["most"]):
        runs = train(
            function,
            seeds=todo,
            widths=widths,
            init=lambda seed, *rest, attempt=attempt: INITS[run["init"]](stream(seed, attempt), *rest),
            steps=STEPS,
            batch_size=BATCH,
            lr=OPTIMIZERS[run["optimizer"]][1] * run["rate"],
            optimizer=with_schedule(run["optimizer"], run["schedule"], STEPS),
            weight_decay=run["decay"],
            batch_seed=attempt,
            records=1,
            progress=False,
        )
        attempts += len(todo)
        ends |= dict.fromkeys(todo) | _networks(runs)
        todo = [s for s in todo if not (ends[s] and ends[s][1] < SOLVED_BELOW and is_small(ends[s][0], function))]
        if not todo:
            break
    networks = [end for end in ends.values() if end]
    return Outcome(networks, attempts, attempts * STEPS * BATCH, widths)


def _counted(runs: OptimalRuns) -> Outcome:
    networks = list(_networks(runs).values())
    return Outcome(networks, int(runs.attempts.sum()), int(runs.evaluations.sum()), runs.widths)


def _networks(runs: Runs) -> dict[int, tuple[Network, float]]:
    near = np.flatnonzero(runs.loss[:, -1] < 1e-4)
    return {int(runs.seeds[row]): (runs.network(runs.seeds[row]), runs.loss[row, -1]) for row in near}


# --- its scores -------------------------------------------------------------------------------------------------------


def scores(networks: Iterable[tuple[Network, float]], function: Function) -> dict:
    """Of how many networks, given with their losses, each is true.

    solved: the loss is below 1e-6.
    smallest: solved, and once dead units are dropped and those of one direction merged, no layer has more units than
        in the smallest network. Directions count as one if they agree within 0.01.
    read: the network so reduced is as small as that, and ``read`` finds it near a circuit proved to be the function.
    exact: so near (1e-6) that rounding takes the weights to a smallest network proved to be the function.
    """
    counts = dict.fromkeys(SCORES, 0)
    for network, loss in networks:
        solved, reduced = loss < SOLVED_BELOW, canonical(network, tolerance=0.01)
        counts["solved"] += bool(solved)
        if is_small(reduced, function):
            snapped = snap(reduced)
            optimal = is_smallest(snapped.network, function.name)
            counts["smallest"] += bool(solved)
            counts["exact"] += optimal and snapped.distance < 1e-6
            # What read tries first, at less cost; it finds whatever this finds.
            found = optimal and largest_error(reduced, function) <= 0.05
            counts["read"] += found or read(reduced).function == function.name
    return counts


def is_small(network: Network, function: Function) -> bool:
    """Whether no layer has more units than in the smallest network, once the dead and the double ones are gone."""

    def fits(network):
        return all(n <= most for n, most in zip(network.widths, function.widths, strict=True))

    return fits(network) or fits(canonical(network, tolerance=0.01))


def largest_error(network: Network, function: Function) -> float:
    """On a grid of about 1,000 inputs, over all outputs."""
    x = function.grid(1000).T
    return float(np.abs(np.subtract(network(*x), function(*x))).max())


@cache
def is_smallest(network: Network, name: str) -> bool:
    """Proved to be the function, and as small as the smallest."""
    function = FUNCTIONS[name]
    return network.widths == function.widths and bool(prove_equal(network, function))


# --- all of them ------------------------------------------------------------------------------------------------------


def make_all(runs: Iterable[dict], *, processes: int = 2) -> Iterator[dict]:
    """Make runs in processes side by side, and give each with its scores as soon as it is there, in whatever order."""
    context = multiprocessing.get_context("spawn")
    watched = {"initializer": _end_with, "initargs": (os.getpid(),)}
    with ProcessPoolExecutor(processes, mp_context=context, **watched) as executor:
        try:
            for future in as_completed([executor.submit(make, run) for run in runs]):
                yield future.result()
        finally:
            executor.shutdown(cancel_futures=True)


def _end_with(parent: int) -> None:
    """Have this process end soon after its parent, however that ends: else it would compute on for nobody."""

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
    rows = csv.DictReader(io.StringIO("\n".join(lines[:-1])), FIELDS)
    return {key(row): row for row in rows}


def as_csv(rows: Iterable[dict]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, FIELDS, lineterminator="\n").writerows(rows)
    return text.getvalue()


def write_whole(path: Path, text: str) -> None:
    """Write beside and rename: the file is the old one or the new one, and never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(f".{platform.node()}-{os.getpid()}.tmp")
    whole.write_text(text, encoding="utf-8", newline="")
    os.replace(whole, path)


def study(runs: list[dict], table: Path = TABLE, part: Path = PART) -> None:
    """Make all runs that are not kept in part yet, and then write the table, whole or not at all."""
    done = kept(part)
    write_whole(part, fingerprint() + "\n" + as_csv(done.values()))
    with part.open("a", encoding="utf-8", newline="") as file:
        todo = [run for run in runs if key(run) not in done]
        made = make_all(todo, processes=os.cpu_count() or 1)
        for row in tqdm(made, "runs", len(runs), initial=len(done), disable=not sys.stderr.isatty()):
            file.write(as_csv([row]))
            file.flush()
            done[key(row)] = row
    write_whole(table, as_csv([dict(zip(FIELDS, FIELDS, strict=True)), *(done[key(run)] for run in runs)]))
    part.unlink()


if __name__ == "__main__":
    study(design())
    print(f"{TABLE.relative_to(ROOT)}: {len(design())} runs")
