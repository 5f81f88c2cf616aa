"""How fast are thousands of small networks trained? Three ways, side by side: `python benchmarks/training.py`.

The work is the original's: float32, SGD at rate 0.1, a fresh batch of 1,000 a step, 500 steps, one seed a network. All
three see the same batches and end with the same weights. Only ``train`` takes the loss besides, 101 times, on a grid.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import sys
import time
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from mathcircuits import FUNCTIONS, train

LR = 0.1


def make(seed, widths):
    torch.manual_seed(seed)
    layers = [(nn.Linear(*sizes, bias=False), nn.ReLU()) for sizes in pairwise(widths)]
    return nn.Sequential(*[module for layer in layers for module in layer][:-1])


def batches(function, steps, batch_size):
    generator = np.random.default_rng(0)
    for _ in range(steps):
        x = torch.from_numpy(function.sample(generator, batch_size)).float()
        yield x, function(*x.T)


def by_loop(function, n, widths, steps, batch_size):
    """One network at a time, as everybody writes it. Returns the weights, (n, out, in) a layer."""
    networks = [make(seed, widths) for seed in range(n)]
    for network in networks:
        optimizer = torch.optim.SGD(network.parameters(), lr=LR)
        for x, y in batches(function, steps, batch_size):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(x)[:, 0], y).backward()
            optimizer.step()
    trained = [[weight.detach() for weight in network.parameters()] for network in networks]
    return [torch.stack(weights) for weights in zip(*trained, strict=True)]


def by_vmap(function, n, widths, steps, batch_size):
    """All together by torch.func, SGD by hand; splitting into chunks made it no faster. Returns the same."""
    network = make(0, widths)
    drawn = [dict(make(seed, widths).named_parameters()) for seed in range(n)]
    weights = {name: torch.stack([one[name] for one in drawn]).detach() for name in drawn[0]}

    def loss(weights, x, y):
        return nn.functional.mse_loss(functional_call(network, weights, (x,))[:, 0], y)

    gradients = vmap(grad(loss), in_dims=(0, None, None))
    for x, y in batches(function, steps, batch_size):
        for name, gradient in gradients(weights, x, y).items():
            weights[name] -= LR * gradient
    return [*weights.values()]


def by_train(function, n, widths, steps, batch_size, **others):
    """All together by mathcircuits. Returns the same."""
    recipe = {"widths": widths, "steps": steps, "batch_size": batch_size, "lr": LR, "dtype": torch.float32}
    return [*train(function, seeds=range(n), progress=False, **(recipe | others)).final]


WAYS = {"loop": by_loop, "vmap": by_vmap, "train": by_train}


def seconds(way, function, n, widths, steps, batch_size, **others) -> float:
    """Return how long n networks take. The loop is timed on five of them, and vmap on the first 21 steps."""

    def timed(n, steps):
        start = time.perf_counter()
        WAYS[way](function, n, widths, steps, batch_size, **others)
        return time.perf_counter() - start

    if way == "loop":
        return timed(min(n, 5), steps) * n / min(n, 5)
    if way == "vmap" and steps > 21:
        first = timed(n, 1)
        return first + max(0.0, timed(n, 21) - first) / 20 * (steps - 1)
    return timed(n, steps)


def peak() -> float:
    """Return the most memory that this process has ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measure(send, threads, way, name, *work, others):
    torch.set_num_threads(threads)
    WAYS[way](FUNCTIONS[name], 2, work[1], 2, work[3], **others)  # what is loaded at the first use
    before = peak()
    send.send((seconds(way, FUNCTIONS[name], *work, **others), peak() - before))


def best(context, threads, rounds, cells) -> list[tuple[float, float]]:
    """Return the shortest time and the least memory of each cell. Each measurement has a process of its own, and the
    cells take turns, so that what else the machine does meets all of them."""
    found = [(float("inf"), float("inf"))] * len(cells)
    for _, n_threads, (k, (work, others)) in product(range(rounds), threads, enumerate(cells)):
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=measure, args=(send, n_threads, *work), kwargs={"others": others})
        process.start()
        send.close()
        found[k] = tuple(map(min, found[k], receive.recv()))
        process.join()
    return found


def machine() -> str:
    name, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    system = f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"
    return f"{models[0] if models else name}, {os.cpu_count()} cores, {system}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little work, to see that it runs")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of each cell; the shortest counts")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers to try; the fastest counts")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 100, 1000, 10_000], help="numbers of networks")
    options = parser.parse_args(arguments)
    counts, steps, rounds = ([10, 20], 20, 1) if options.quick else (options.seeds, 500, options.rounds)
    threads = options.threads[:1] if options.quick else options.threads
    context = multiprocessing.get_context("forkserver")  # torch is imported once
    context.set_forkserver_preload(["torch.func", "mathcircuits"])
    print(f"{machine()}; threads: the faster of {' and '.join(map(str, threads))}\n")

    print(f"Identity, widths (1, 2, 1), {steps} steps of 1,000 inputs, float32; memory beyond that of two networks")
    print("| seeds | networks/s: loop | vmap | train | train / loop | train / vmap | MB: loop | vmap | train |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    for n in counts:
        cells = [((way, "identity", n, (1, 2, 1), steps, 1000), {}) for way in WAYS]
        (loop, mb), (together, mb_vmap), (ours, mb_train) = best(context, threads, rounds, cells)
        speeds = " | ".join(f"{n / t:,.0f}" for t in (loop, together, ours))
        memory = " | ".join(f"{m:,.0f}" for m in (mb, mb_vmap, mb_train))
        print(f"| {n:,} | {speeds} | {loop / ours:,.0f} | {together / ours:,.1f} | {memory} |", flush=True)

    n = counts[-2:][0]
    usual = ("train", "identity", n, (1, 2, 1), steps, 1000)
    cells = {f"identity, {n:,} seeds, width 2, batch 1,000": (usual, {})}
    cells |= {f"{k}× the seeds": (("train", "identity", k * n, *usual[3:]), {}) for k in (2, 4)}
    cells |= {f"{k}× the width": (("train", "identity", n, (1, 2 * k, 1), *usual[4:]), {}) for k in (2, 4, 16)}
    cells |= {f"{k}× the batch": ((*usual[:-1], 1000 * k), {}) for k in (4, 16)}
    cells["with biases: every input visited"] = (usual, {"bias": True})
    cells["with biases, 4× the width"] = (("train", "identity", n, (1, 8, 1), *usual[4:]), {"bias": True})
    cells["with biases, 4× the batch"] = ((*usual[:-1], 4000), {"bias": True})
    cells["minimum, (2, 3, 1)"] = (("train", "minimum", n, (2, 3, 1), *usual[4:]), {})
    if options.quick:
        cells = dict([*cells.items()][:2])
    print("\nHow the cost of train grows\n| work | ms a network | times the first row | MB |\n|:--|--:|--:|--:|")
    found = best(context, threads[:1], 1, [*cells.values()])
    for (what, (work, _)), (t, mb) in zip(cells.items(), found, strict=True):
        relative = t / found[0][0]
        print(f"| {what} | {1000 * t / work[2]:,.2f} | {relative:,.1f} | {mb:,.0f} |")


if __name__ == "__main__":
    main()
