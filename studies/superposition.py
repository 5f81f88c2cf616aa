"""The study of notebook 18: absolute values of many inputs through few units, trained.

    python studies/superposition.py      writes notebooks/data/superposition.csv, in some minutes

A network gives y = relu(V relu(W x) + b) for |x_1|, ..., |x_n| with m units. `one_at_a_time` trains it on inputs of
which one is not 0: then the loss on all of them follows from the 2 n inputs that have one entry of 1 or -1. `many`
trains it as Elhage et al. (2022) do: every input is not 0 with a probability, the density, and counts 0.8^i.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np
import torch

TABLE = Path(__file__).resolve().parents[1] / "notebooks/data/superposition.csv"
DENSITIES = (1.0, 0.3, 0.1, 0.03, 0.01)
SEEDS = 200


def draw(seeds, n: int, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first weights (n_seeds, m, n) and (n_seeds, n, m), normal, of a network for each seed."""
    drawn = [np.random.default_rng(seed).normal(size=(2, m, n)) for seed in seeds]
    both = torch.tensor(np.array(drawn))
    return both[:, 0] / m**0.5, both[:, 1].mT / m**0.5


def _adam(parameters, loss, steps, lr):
    """Minimise a loss that is a sum over seeds; the rate falls to nothing along a half cosine."""
    parameters = [p.clone().requires_grad_() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(*parameters).backward()
        optimizer.step()
        schedule.step()
    return [p.detach() for p in parameters]


def values_on_rays(w, v):
    """Return what the outputs read, (n_seeds, n, 2 n), at the inputs e_1, ..., e_n, -e_1, ..., -e_n."""
    return v @ torch.cat([w, -w], 2).clamp(min=0)


def one_at_a_time(seeds, n: int, m: int, *, kind: str, steps: int = 3000, lr: float = 0.02):
    """Train on one input at a time and return (W, V, error): the mean squared error of each seed on the rays.

    kind "squares" minimises that error. Kind "signs" asks for less: at least 1 at the input's own rays, at most 0 at
    all others; a row of V scaled by what it gives at its own rays is then right up to the scales of the two rays.
    """
    own = torch.eye(n, dtype=torch.float64).repeat(1, 2)

    def squares(w, v):
        return (values_on_rays(w, v).clamp(min=0) - own).square().sum()

    def signs(w, v):
        z = values_on_rays(w, v)
        return torch.where(own > 0, (1 - z).clamp(min=0), z.clamp(min=0)).square().sum()

    w, v = _adam(draw(seeds, n, m), {"squares": squares, "signs": signs}[kind], steps, lr)
    z = values_on_rays(w, v)
    lacks = (z.clamp(min=0) - own) if kind == "squares" else torch.where(own > 0, (1 - z).clamp(min=0), z.clamp(min=0))
    return w, v, lacks.square().mean((1, 2)).numpy()


def many(seeds, n: int, m: int, density: float, *, steps: int, batch: int = 256, lr: float = 0.01):
    """Train as Elhage et al. do and return (W, V, b, loss): the weighted loss of each seed on 20,000 fresh inputs."""
    weight = torch.tensor(0.8 ** np.arange(n), dtype=torch.float32)[:, None]
    rng = np.random.default_rng(0)

    def inputs(count):
        x = rng.uniform(-1, 1, size=(n, count)) * (rng.random((n, count)) < density)
        return torch.tensor(x, dtype=torch.float32)

    def loss(w, v, b, count=batch):
        x = inputs(count)
        y = (v @ (w @ x).clamp(min=0) + b).clamp(min=0)
        return (weight * (y - x.abs()).square()).mean(2).sum(1)

    w, v = (p.float() for p in draw(seeds, n, m))
    trained = _adam([w, v, torch.zeros(len(w), n, 1)], lambda *p: loss(*p).sum(), steps, lr)
    return [*trained, loss(*trained, count=20_000).numpy()]


def apart(n: int, m: int, density: float) -> float:
    """Return the loss without sharing: two units each for the first m // 2 inputs, the mean of |x| for the others."""
    return float((0.8 ** np.arange(m // 2, n)).sum() * (density / 3 - density**2 / 4))


def rows() -> list[dict]:
    table = []
    for n in (2, 4, 6, 8, 10):
        for kind in ("squares", "signs"):
            error = one_at_a_time(range(SEEDS), n, 6, kind=kind)[2]
            row = {"setting": kind, "n": n, "m": 6, "density": "", "seeds": SEEDS}
            table.append(row | {"solved": int((error < 1e-6).sum()), "least": "", "median": ""})
            print(table[-1], file=sys.stderr, flush=True)
    for n, m, steps, seeds in ((20, 10, 1500, SEEDS), (100, 40, 1000, 20)):
        for density in DENSITIES if n == 20 else (0.1, 0.01):
            loss = many(range(seeds), n, m, density, steps=steps)[-1] / apart(n, m, density)
            row = {"setting": "many", "n": n, "m": m, "density": density, "seeds": seeds, "solved": ""}
            table.append(row | {"least": round(float(loss.min()), 2), "median": round(float(np.median(loss)), 2)})
            print(table[-1], file=sys.stderr, flush=True)
    return table


def main():
    text = io.StringIO()
    table = csv.DictWriter(
        text, ["setting", "n", "m", "density", "seeds", "solved", "least", "median"], lineterminator="\n"
    )
    table.writeheader()
    table.writerows(rows())
    whole = TABLE.with_suffix(".new")
    whole.write_text(text.getvalue(), encoding="utf-8")
    whole.replace(TABLE)


if __name__ == "__main__":
    main()
