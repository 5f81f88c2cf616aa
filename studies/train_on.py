"""The study of notebook 08: is a failed run stuck, or does it arrive when it is trained on?

    python studies/train_on.py      writes notebooks/data/failures.csv

1,000 fresh seeds of each of the six functions are trained by the recipe, and every failed one is named from its
weights. Then the failed ones are trained again, for 50,000 steps in all. The names were fixed on other seeds. It takes
some minutes on two cores. The table has one line for each failed seed: its name, and the number of steps after which
its loss was first seen below 1e-6, empty if it never was. It is written once, whole.
"""

from __future__ import annotations

import csv
import io
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from mathcircuits import circuits, sweep
from mathcircuits.failures import why_failed
from mathcircuits.training import SOLVED_BELOW, Runs

TABLE = Path(__file__).resolve().parents[1] / "notebooks/data/failures.csv"
NAMES = ["identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum"]
SEEDS = range(10_000, 11_000)  # no name, number or rule was looked for on these
LONG, RECORDS = 50_000, 500


def recipe(name: str, seeds) -> dict:
    """The training of S. Osier (2022), as arguments of ``train``."""
    return {"function": name, "seeds": seeds, "steps": 10_000 if name == "minimum" else 500}


def rows(runs: Runs, longer: Runs) -> list[tuple]:
    """Return (function, seed, name, steps to arrive or "") of every seed of ``longer``, the failed ones of ``runs``."""
    named = dict(zip(runs.seeds, why_failed(runs, getattr(circuits, runs.function.name)()), strict=True))
    below = longer.loss < SOLVED_BELOW
    arrives = np.where(below.any(1), longer.steps[below.argmax(1)], -1)
    return [
        (runs.function.name, int(seed), str(named[seed]), int(steps) if steps >= 0 else "")
        for seed, steps in zip(longer.seeds, arrives, strict=True)
    ]


def main():
    with ProcessPoolExecutor(2) as pool:
        runs = sweep([recipe(name, SEEDS) for name in NAMES], pool)
        longer = sweep(
            [
                {
                    **recipe(r.function.name, seeds.tolist()),
                    "steps": LONG,
                    "records": RECORDS,
                }
                for r in runs
                for seeds in np.array_split(r.seeds[~r.solved], 2)
            ],
            pool,
        )
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["function", "seed", "name", "arrives"])
    for i, r in enumerate(runs):
        table.writerows(rows(r, longer[2 * i]) + rows(r, longer[2 * i + 1]))
    whole = TABLE.with_suffix(".new")
    whole.write_text(text.getvalue())
    whole.replace(TABLE)


if __name__ == "__main__":
    main()
