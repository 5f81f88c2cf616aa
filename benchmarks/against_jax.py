"""Networks without the shortcut, beside JAX (jit, vmap of grad, scan): `python benchmarks/against_jax.py`.

JAX is no requirement of the project: install it (`pip install jax`) beside mathcircuits. One thread, float32, batches
of 1,000, CPU time of whole trainings; JAX is timed once compiled, with its batches drawn beforehand, and also with
its networks in groups of 256, which stay in the cache.
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import pairwise

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np
import torch

from mathcircuits import FUNCTIONS, train

CASES = {  # function, widths, biases, optimiser
    "minimum": ("minimum", (2, 3, 1), False, "sgd"),
    "minimum, biases": ("minimum", (2, 3, 1), True, "sgd"),
    "minimum of four": ("minimum_of_four", (4, 6, 3, 1), False, "adam"),
    "maximum of five": ("maximum_of_five", (5, 10, 8, 1), False, "adam"),
}
RATES = {"sgd": 0.1, "adam": 0.01}


def by_jax(name, widths, bias, optimizer, n, steps):
    """Return the seconds of one training of n networks, the shortest of three."""
    import jax
    import jax.numpy as jnp

    rng, function, rate = np.random.default_rng(0), FUNCTIONS[name], RATES[optimizer]
    weights = [rng.uniform(-1, 1, (n, b, a)).astype(np.float32) / np.float32(a**0.5) for a, b in pairwise(widths)]
    biases = [np.zeros((n, b), np.float32) for b in widths[1:]] if bias else []
    x = np.stack([function.sample(rng, 1000) for _ in range(steps)])
    y = np.stack([function(*batch.T) for batch in x]).astype(np.float32)

    def loss(parameters, x, y):
        w, b = parameters
        h = x.T
        for k, matrix in enumerate(w):
            h = matrix @ h + (b[k][:, None] if b else 0)
            h = jnp.maximum(h, 0) if k < len(w) - 1 else h
        return jnp.mean((h[0] - y) ** 2)

    gradient = jax.vmap(jax.grad(loss), in_axes=(0, None, None))

    def step(state, batch):
        p, m, v, t = state
        g, t = gradient(p, *batch), t + 1
        if optimizer == "sgd":
            return (jax.tree.map(lambda a, b: a - rate * b, p, g), m, v, t), None
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        scale = rate / (1 - 0.9**t), 1 / (1 - 0.999**t)
        p = jax.tree.map(lambda a, b, c: a - scale[0] * b / (jnp.sqrt(scale[1] * c) + 1e-8), p, m, v)
        return (p, m, v, t), None

    zeros = jax.tree.map(jnp.zeros_like, (weights, biases))
    start = ((weights, biases), zeros, zeros, 0.0)
    run = jax.jit(lambda s, x, y: jax.lax.scan(step, s, (x, y))[0])
    batches = x.astype(np.float32), y
    jax.block_until_ready(run(start, *batches))
    times = []
    for _ in range(3):
        before = time.process_time()
        jax.block_until_ready(run(start, *batches))
        times.append(time.process_time() - before)
    return min(times)


def by_train(name, widths, bias, optimizer, n, steps):
    """Return the same for ``train``, with all that it does besides: drawing weights and batches, the last loss."""
    options = {"widths": widths, "bias": bias, "optimizer": optimizer, "lr": RATES[optimizer], "records": 1}
    times = []
    for _ in range(3):
        before = time.process_time()
        train(FUNCTIONS[name], seeds=range(n), steps=steps, dtype=torch.float32, progress=False, **options)
        times.append(time.process_time() - before)
    return min(times)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1024, help="networks, a multiple of 256")
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print("| case | train, ms a network | JAX / train | JAX in groups of 256 / train |\n|:--|--:|--:|--:|")
    for case, work in CASES.items():
        ours = by_train(*work, options.seeds, options.steps)
        whole = by_jax(*work, options.seeds, options.steps)
        groups = by_jax(*work, 256, options.steps) * options.seeds / 256
        print(f"| {case} | {1000 * ours / options.seeds:.2f} | {whole / ours:.1f} | {groups / ours:.1f} |", flush=True)


if __name__ == "__main__":
    main()
