"""Read networks that plain PyTorch trained, outside this package's trainer: what is named, and is any of it wrong?

Three hundred networks: Adam with a cosine schedule, biases, 8 to 64 units a layer, one to three hidden layers, inputs
uniform on [-1, 1] or [0, 1] or Gaussian. A third of the targets are functions of the library, a third are near misses,
a third are others. ``python studies/read_foreign.py`` trains, reads, and writes ``notebooks/data/foreign.csv``: one
network a row. ``--base`` is the first seed: 0 was used while the reader was written, 1000 to confirm.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import time
from pathlib import Path

import numpy as np
import torch

import mathcircuits as mc

STEPS, BATCH, RATE = 3000, 128, 5e-3
OUT = Path(__file__).parents[1] / "notebooks" / "data" / "foreign.csv"


def relu(z):
    return z.clamp(min=0)


# The kind, the function of the library that it is near (or is), the number of inputs, and the target itself.
TARGETS = {
    "|x|": ("library", "absolute_value", 1, lambda x: x.abs()),
    "relu(x)": ("library", "relu", 1, relu),
    "leaky relu": ("library", "leaky_relu", 1, lambda x: torch.maximum(x, x / 4)),
    "x1 + x2": ("library", "addition", 2, lambda x, y: x + y),
    "x1 - x2": ("library", "subtraction", 2, lambda x, y: x - y),
    "min": ("library", "minimum", 2, torch.minimum),
    "max": ("library", "maximum", 2, torch.maximum),
    "|x1 - x2|": ("library", "distance", 2, lambda x, y: (x - y).abs()),
    "0.98 |x|": ("near", "absolute_value", 1, lambda x: 0.98 * x.abs()),
    "1.01 |x|": ("near", "absolute_value", 1, lambda x: 1.01 * x.abs()),
    "slope 0.26": ("near", "leaky_relu", 1, lambda x: torch.maximum(x, 0.26 * x)),
    "1.02 x1 + x2": ("near", "addition", 2, lambda x, y: 1.02 * x + y),
    "0.98 (x1 - x2)": ("near", "subtraction", 2, lambda x, y: 0.98 * (x - y)),
    "0.99 min": ("near", "minimum", 2, lambda x, y: 0.99 * torch.minimum(x, y)),
    "max(x1, 1.02 x2)": ("near", "maximum", 2, lambda x, y: torch.maximum(x, 1.02 * y)),
    "|x1 - x2 + 0.02|": ("near", "distance", 2, lambda x, y: (x - y + 0.02).abs()),
    "|x| - 1": ("other", None, 1, lambda x: x.abs() - 1),
    "x squared": ("other", None, 1, lambda x: x * x),
    "sin 3x": ("other", None, 1, lambda x: torch.sin(3 * x)),
    "max(x1, 2 x2)": ("other", None, 2, lambda x, y: torch.maximum(x, 2 * y)),
    "x1 + 2 x2": ("other", None, 2, lambda x, y: x + 2 * y),
    "min + min": ("other", None, 2, lambda x, y: torch.minimum(x, y) + torch.minimum(x, -y)),
    "x1 x2": ("other", None, 2, lambda x, y: x * y),
    "relu(x1 + x2 - 1)": ("other", None, 2, lambda x, y: relu(x + y - 1)),
}
INPUTS = ("[-1, 1]", "[0, 1]", "Gaussian")
SHAPES = [(depth, width) for depth in (1, 2, 3) for width in (8, 16, 32, 64)]


def drawn(rng, where: str, shape) -> np.ndarray:
    if where == "Gaussian":
        return rng.standard_normal(shape, dtype=np.float32)
    x = rng.random(shape, dtype=np.float32)
    return 2 * x - 1 if where == "[-1, 1]" else x


def plan(base: int) -> list[dict]:
    """What is trained: for every shape, 25 targets and inputs in turn. All differ in seed."""
    rows, targets = [], itertools.cycle(TARGETS)
    for n, (depth, width) in enumerate(SHAPES):
        for k in range(25):
            where = INPUTS[(k + k // len(INPUTS) + n + base) % 3]
            rows.append(
                {"seed": base + len(rows), "target": next(targets), "inputs": where, "depth": depth, "width": width}
            )
    return rows


def train(rows: list[dict]) -> list[dict]:
    """Train networks of one shape side by side: the leading axis of every tensor is the network."""
    depth, width = rows[0]["depth"], rows[0]["width"]
    arities = [TARGETS[row["target"]][2] for row in rows]
    sizes = [2, *[width] * depth, 1]
    generators = [np.random.default_rng(row["seed"]) for row in rows]
    parameters = []
    for k, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        ends = [1 / math.sqrt(fan_in if k else arity) for arity in arities]
        draw = [g.uniform(-e, e, (fan_out, fan_in + 1)) for g, e in zip(generators, ends, strict=True)]
        both = torch.tensor(np.array(draw), dtype=torch.float32)
        parameters += [both[..., :-1].clone().requires_grad_(), both[..., -1:].clone().requires_grad_()]

    def network(x):
        for k in range(0, len(parameters), 2):
            x = torch.baddbmm(parameters[k + 1], parameters[k], x)
            x = x.relu() if k < len(parameters) - 2 else x
        return x[:, 0]

    def batch(n):
        x = torch.from_numpy(np.array([drawn(g, r["inputs"], (2, n)) for g, r in zip(generators, rows, strict=True)]))
        for row, arity in enumerate(arities):
            x[row, arity:] = 0
        y = [TARGETS[r["target"]][3](*x[i, :a]) for i, (r, a) in enumerate(zip(rows, arities, strict=True))]
        return x, torch.stack(y)

    optimizer = torch.optim.Adam(parameters, lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        x, y = batch(BATCH)
        optimizer.zero_grad()
        ((network(x) - y) ** 2).mean(1).sum().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        x, y = batch(4096)
        losses = ((network(x) - y) ** 2).mean(1).tolist()
    done = []
    for i, (row, arity) in enumerate(zip(rows, arities, strict=True)):
        arrays = [p[i].detach().double().numpy() for p in parameters]
        weights, biases = arrays[::2], [b[:, 0] for b in arrays[1::2]]
        weights[0] = weights[0][:, :arity]
        done.append({**row, "loss": losses[i], "network": (weights, biases)})
    return done


def right_names(row: dict) -> set[str]:
    """The functions of the library that the target is on the box, by values: |x| is the identity on [0, 1]."""
    _, _, arity, target = TARGETS[row["target"]]
    low, high = box_of(row)
    points = np.random.default_rng(0).uniform(low, high, (200, arity))
    wanted = target(*torch.from_numpy(points.T)).numpy()
    names = set()
    for name, function in mc.FUNCTIONS.items():
        if (function.arity, function.widths[-1]) == (arity, 1) and (function.domain is None or low == 0):
            usual = points if function.domain is None else function.sample(np.random.default_rng(0), 50)
            values = wanted if function.domain is None else target(*torch.from_numpy(usual.T)).numpy()
            if np.allclose(function(*usual.T), values):
                names.add(name)
    return names


def box_of(row: dict) -> tuple[int, int]:
    """Where it is read: Gaussian inputs have no bounds, so [-1, 1] stands for them."""
    return (0, 1) if row["inputs"] == "[0, 1]" else (-1, 1)


def judge(row: dict) -> dict:
    """Read one network, and compare what is said with the target and with the network at 20,000 points."""
    network, box = mc.Network(*row["network"]), box_of(row)
    start = time.process_time()
    reading = mc.read(network, box=box)
    seconds = time.process_time() - start
    names = right_names(row)
    understated = ""
    if reading.network is not None:
        x = np.random.default_rng(row["seed"]).uniform(*box, (network.arity, 20_000))
        seen = float(abs(network(*x) - reading.network.to_float()(*x)).max())
        understated = int(reading.bounded and seen > reading.error * (1 + 1e-9) + 1e-12)
    kept = {key: row[key] for key in ("seed", "target", "inputs", "depth", "width")}
    kind = "library" if names else TARGETS[row["target"]][0]
    verdict = "none" if reading.function is None else "right" if reading.function in names else "wrong"
    return kept | {
        "kind": kind,
        "loss": f"{row['loss']:.2g}",
        "function": reading.function or "",
        "verdict": verdict,
        "formula": reading.formula if reading.network is not None and len(reading.formula) < 80 else "",
        "error": f"{reading.error:.2g}" if reading.network is not None else "",
        "bounded": int(reading.bounded),
        "understated": understated,
        "seconds": f"{seconds:.1f}",
    }


def main() -> None:
    """Train and read all networks of one first seed; write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=int, default=1000, help="the first seed (1000 is the confirming set)")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = plan(arguments.base)
    table = []
    for shape in SHAPES:
        trained = train([row for row in rows if (row["depth"], row["width"]) == shape])
        table += [judge(row) for row in trained]
        print(shape, len(table), flush=True)
    part = arguments.out.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    part.replace(arguments.out)


if __name__ == "__main__":
    main()
