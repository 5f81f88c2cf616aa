"""The study of notebook 17: six functions trained together in one network, and each of them alone.

    python studies/several_functions.py      writes notebooks/data/several_functions.csv, in a quarter of an hour

The same seeds, optimiser, rate, steps and batches everywhere. Adam moves every weight by about the rate, however large
its gradient is, so a function pulls alike whether it is alone or one of six. A line of the table is one setting and one
function: of how many seeds it was solved. It is written once, whole.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np

from mathcircuits import FUNCTIONS, Function, Network, Runs, canonical, circuits, shared, snap, train
from mathcircuits.training import SOLVED_BELOW

TABLE = Path(__file__).resolve().parents[1] / "notebooks/data/several_functions.csv"
SIX = ["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum"]
RECIPE = {"steps": 1500, "batch_size": 64, "lr": 0.02, "optimizer": "adam", "records": 5}
WIDTHS, DECAYS = (4, 6, 8, 16), (0.0, 0.01)
SEEDS = range(30_000, 31_000)


def _six(m, x1, x2):
    return x1, -x1, m.abs(x1), x1 + x2, x1 - x2, m.minimum(x1, x2)


TOGETHER = Function("six functions", 2, r"\text{six functions}", _six, (2, 4, 6))
# Alone, a function of one input is given two as well, so that nothing differs but the company.
ALONE = {
    name: Function(f"{name} alone", 2, FUNCTIONS[name].formula, lambda m, *x, k=k: _six(m, *x)[k], (2, 4, 1))
    for k, name in enumerate(SIX)
}


def losses(runs: Runs) -> np.ndarray:
    """Return the mean squared error of every seed and output, (n_seeds, outputs), on the grid of the runs."""
    x = runs.function.grid(1000).T
    values = runs.function(*x)
    wanted = np.array(values if isinstance(values, tuple) else (values,))
    found = []
    for row in range(len(runs.seeds)):
        h = np.maximum(runs.final[0][row].numpy() @ x, 0)
        found.append(((runs.final[1][row].numpy() @ h - wanted) ** 2).mean(1))
    return np.array(found)


def units_of(network: Network) -> tuple[int, int]:
    """Return how many units a network has in canonical form, and how many of these serve two outputs or more.

    A unit serves an output if its weight there, the unit being scaled to a largest incoming weight of 1, is above 0.01.
    """
    serves = abs(canonical(network, tolerance=0.01).weights[1]) > 0.01
    return int(serves.any(0).sum()), int((serves.sum(0) > 1).sum())


def is_derived(network: Network) -> bool:
    """Tell whether a network is, rounded to small fractions, the derived one for the six."""
    return snap(canonical(network, tolerance=0.01)).network == canonical(shared(SIX))


def together(width: int, decay: float, seeds) -> Runs:
    optimizer = {"optimizer": "adamw", "weight_decay": decay} if decay else {}
    return train(TOGETHER, seeds=seeds, widths=(2, width, 6), progress=False, **(RECIPE | optimizer))


def alone(name: str, width: int, seeds) -> Runs:
    return train(ALONE[name], seeds=seeds, widths=(2, width, 1), progress=False, **RECIPE)


def rows() -> list[dict]:
    """Return the table; with decay a run counts as solved below the loss that the decay itself costs, 0.001."""
    table = []
    for decay in DECAYS:
        for width in WIDTHS if not decay else (4, 8):
            runs = together(width, decay, SEEDS)
            error = losses(runs)
            below = error < (1e-3 if decay else SOLVED_BELOW)
            good = [runs.network(seed) for seed, all_six in zip(runs.seeds, below.all(1), strict=True) if all_six]
            counts = np.array([units_of(network) for network in good]).reshape(-1, 2)
            kept = (
                {"units": round(counts[:, 0].mean(), 1), "shared": round(counts[:, 1].mean(), 1)} if len(good) else {}
            )
            common = {"setting": "together", "width": width, "decay": decay, "seeds": len(SEEDS)}
            derived = sum(map(is_derived, good)) if not decay else ""
            table.append(common | kept | {"function": "all six", "solved": len(good), "derived": derived})
            table += [common | {"function": name, "solved": int(below[:, k].sum())} for k, name in enumerate(SIX)]
            print(table[-7], file=sys.stderr, flush=True)
    for name in SIX:
        for width in (getattr(circuits, name)().widths[1], 4):
            solved = int((losses(alone(name, width, SEEDS)) < SOLVED_BELOW).sum())
            row = {"setting": "alone", "width": width, "decay": 0.0, "seeds": len(SEEDS), "function": name}
            table.append(row | {"solved": solved})
            print(table[-1], file=sys.stderr, flush=True)
    return table


def main():
    text = io.StringIO()
    fields = ["setting", "function", "width", "decay", "seeds", "solved", "units", "shared", "derived"]
    table = csv.DictWriter(text, fields, lineterminator="\n")
    table.writeheader()
    table.writerows(rows())
    whole = TABLE.with_suffix(".new")
    whole.write_text(text.getvalue(), encoding="utf-8")
    whole.replace(TABLE)


if __name__ == "__main__":
    main()
