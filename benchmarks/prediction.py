"""How much faster is it to foretell a training than to train? `python benchmarks/prediction.py`.

The work is that of notebook 16: 1,000 seeds of each function of two inputs, SGD at rate 0.1, 10,000 steps for the
minimum and 5,000 for the others, one thread, float64. ``train`` takes its loss at the end only.
"""

from __future__ import annotations

import argparse
import time

import torch
from training import machine

from mathcircuits import FUNCTIONS, predict, train

NAMES = ["addition", "subtraction", "minimum", "maximum", "distance", "absolute_sum", "absolute_maximum"]


def timed(rounds, work, *args, **options):
    """Return the shortest processor time of several, in seconds, and what the work returned."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        result = work(*args, **options)
        times.append(time.process_time() - start)
    return min(times), result


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little work, to see that it runs")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of each number; the shortest counts")
    parser.add_argument(
        "--lr", type=float, default=0.1, help="the rate; there are 500 / rate steps, twice that for min"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    n, rounds = (20, 1) if options.quick else (1000, options.rounds)
    print(f"{machine()}; one thread, {n:,} seeds, rate {options.lr}\n")
    print(
        "| function | steps | trained, s | foretold, s | times as fast | the same outcome |\n|:--|--:|--:|--:|--:|--:|"
    )
    for name in NAMES:
        steps = 50 if options.quick else round((1000 if name == "minimum" else 500) / options.lr)
        recipe = {"lr": options.lr, "steps": steps}
        seeds = range(700_000, 700_000 + n)
        taken, runs = timed(rounds, train, FUNCTIONS[name], seeds=seeds, records=1, **recipe)
        spent, foretold = timed(rounds, predict, FUNCTIONS[name], runs.initial, **recipe)
        same = (foretold.solved == runs.solved).sum()
        print(f"| {name} | {steps:,} | {taken:,.2f} | {spent:,.2f} | {taken / spent:,.0f} | {same:,} |", flush=True)


if __name__ == "__main__":
    main()
