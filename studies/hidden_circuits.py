"""Circuits hidden in larger trained networks, with answers that are known, and six methods that look for them.

    python studies/hidden_circuits.py     trains, tunes, scores; writes notebooks/data/hidden.csv

Six tasks are sums of functions of the library, so that it is known where they bend: those lines are the answer. Plain
PyTorch trains one hidden layer of 16, 32 or 64 units on each (Adam, biases, inputs uniform on [-1, 1]^2). Besides, the
derived circuits of the same tasks are disguised by ``mc.hide``. Every method sees a network and claims lines. A line
of the answer is found if a claim is within 0.05 of it, a claim is false if no line is. All but ``read`` have one
threshold, the one with the best mean F1 on the open part; the scores are those of the part held back, which has other
seeds. ``export`` writes networks and answers as npz and JSON for those who do not use this package.
"""

from __future__ import annotations

import csv
import itertools
import json
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.decomposition import MiniBatchDictionaryLearning

import mathcircuits as mc
from mathcircuits import Network, circuits

OUT = Path(__file__).parents[1] / "notebooks" / "data" / "hidden.csv"
WIDTHS, SEEDS = (16, 32, 64), 4  # the other seeds are for clustering; each of the rest reads the first alone
STEPS, BATCH, RATE = 2500, 128, 5e-3
OPEN, HELD = 0, 10_000  # first seeds
NEAR = 0.05

first, second = circuits.linear([1, 0]), circuits.linear([0, 1])
half, relu = Fraction(1, 2), circuits.positiveness_detector()
TASKS: dict[str, Network] = {
    "min(x1, x2) + |x1 + x2|": circuits.minimum() + circuits.absolute_value() @ circuits.linear([1, 1]),
    "|x1| + relu(x2 - 1/2)": circuits.absolute_value() @ first + relu @ (second - half),
    "max(x1, x2) - relu(x1 + 1/2)": circuits.maximum() - relu @ (first + half),
    "|x1 - x2| + |x1 + x2|": circuits.distance() + circuits.absolute_value() @ circuits.linear([1, 1]),
    "min(x1, x2) + relu(x2 + 1/2)": circuits.minimum() + relu @ (second + half),
    "relu(x1 + x2) - 1/2 |x2|": relu @ circuits.linear([1, 1]) - half * (circuits.absolute_value() @ second),
}
Lines = np.ndarray  # rows (normal, offset): the largest |entry| of the normal 1, the first that is not zero positive


def lines_of(form: mc.FunctionForm) -> Lines:
    return np.array([[*k.normal, k.offset] for k in form.kinks], dtype=float).reshape(-1, 3)


def unit_lines(network: Network) -> Lines:
    """The line along which each hidden unit bends."""
    rows = np.column_stack([network.weights[0], -network.biases[0]]).astype(float)
    rows /= np.maximum(abs(rows[:, :-1]).max(axis=1), 1e-9)[:, None]
    lead = np.where(abs(rows[:, 0]) > 0.02, rows[:, 0], rows[:, 1])
    return rows * np.where(lead < 0, -1, 1)[:, None]


def train(tasks: Iterable[str], width: int, seeds: Iterable[int]) -> list[Network]:
    """Train one network for each pair of task and seed, side by side; each draws from its own seed."""
    targets, generators = [TASKS[t].to_float() for t in tasks], [np.random.default_rng(s) for s in seeds]

    def uniform(shape, fan_in):
        draws = np.array([g.uniform(-1, 1, shape) for g in generators]) / fan_in**0.5
        return torch.tensor(draws, dtype=torch.float64, requires_grad=True)

    w, b, a = uniform((width, 2), 2), uniform((width, 1), 2), uniform((1, width), width)
    c = uniform((1, 1), width)
    optimizer = torch.optim.Adam([w, b, a, c], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        x = np.array([g.uniform(-1, 1, (2, BATCH)) for g in generators])
        y = torch.from_numpy(np.array([target(*points) for target, points in zip(targets, x, strict=True)]))
        optimizer.zero_grad()
        out = torch.baddbmm(c, a, torch.baddbmm(b, w, torch.from_numpy(x)).relu())
        ((out[:, 0] - y) ** 2).mean(1).sum().backward()
        optimizer.step()
        schedule.step()
    arrays = [p.detach().numpy() for p in (w, b, a, c)]
    return [Network([w, a], [b[:, 0], c[0]]) for w, b, a, c in zip(*arrays, strict=True)]


# --- the methods: a group of networks of one task and a threshold go in, lines come out -------------------------------


def _features(network: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = mc.reading._grid(((-1, 1), (-1, 1)), 900)
    _, hidden, out = network.activations(*x.T)
    return hidden.T, network.weights[1][0], out[0]


def by_reading(group: list[Network], _: float) -> Lines:
    reading = mc.read(group[0])
    return lines_of(reading.form)


def by_magnitude(group: list[Network], threshold: float) -> Lines:
    """Han et al. 2015, on units: those with a large product of incoming and outgoing norm are kept."""
    network = group[0]
    size = np.linalg.norm(network.weights[0], axis=1) * abs(network.weights[1][0])
    return unit_lines(network)[size > threshold * size.max()]


def by_ablation(group: list[Network], threshold: float) -> Lines:
    """One unit at a time is set to its mean; kept if the root mean squared change exceeds the threshold."""
    hidden, out, _ = _features(group[0])
    return unit_lines(group[0])[hidden.std(axis=0) * abs(out) > threshold]


def by_second_order(group: list[Network], threshold: float) -> Lines:
    """Hassibi and Stork 1993 (optimal brain surgeon), on the output layer: the rest makes up for what is left out."""
    hidden, _, values = _features(group[0])
    x = mc.reading._grid(((-1, 1), (-1, 1)), 900)
    columns, kept = np.column_stack([np.ones(len(x)), x, hidden]), list(range(3 + hidden.shape[1]))
    while len(kept) > 3:
        inverse = np.linalg.pinv(columns[:, kept].T @ columns[:, kept] / len(x), hermitian=True)
        fit = inverse @ columns[:, kept].T @ values / len(x)
        rise = (fit**2 / np.maximum(np.diag(inverse), 1e-300))[3:]
        if np.sqrt(np.mean((columns[:, kept] @ fit - values) ** 2) + rise.min()) > threshold:
            break
        del kept[3 + int(rise.argmin())]
    return unit_lines(group[0])[[k - 3 for k in kept[3:]]]


def by_dictionary(group: list[Network], threshold: float) -> Lines:
    """A sparse dictionary (Mairal et al. 2009) of what units pass on; an atom claims the line of its units' mean."""
    hidden, out, _ = _features(group[0])
    learner = MiniBatchDictionaryLearning(6, alpha=threshold, max_iter=50, random_state=0, batch_size=64)
    atoms = learner.fit(hidden * out).components_
    weights = abs(atoms) * (abs(atoms) > 0.3 * abs(atoms).max(axis=1, keepdims=True))
    weights = weights[weights.sum(axis=1) > 0]
    return (weights / weights.sum(axis=1, keepdims=True)) @ unit_lines(group[0])


def by_clustering(group: list[Network], threshold: float) -> Lines:
    """In the manner of expand-and-cluster (Martinelli et al. 2024): lines that several seeds share, weighted."""
    rows, sources = np.vstack([unit_lines(n) for n in group]), np.repeat(range(len(group)), len(group[0].weights[0]))
    sizes = np.concatenate([np.linalg.norm(n.weights[0], axis=1) * abs(n.weights[1][0]) for n in group])
    use = sizes > 0.02
    rows, sources, sizes = rows[use], sources[use], sizes[use]
    labels = fcluster(linkage(rows, "average"), threshold, "distance")
    shared = [labels == k for k in np.unique(labels) if len(set(sources[labels == k])) == len(group)]
    return np.array([sizes[m] @ rows[m] / sizes[m].sum() for m in shared]).reshape(-1, 3)


METHODS: dict[str, tuple[Callable, tuple[float, ...]]] = {
    "read": (by_reading, (0,)),
    "magnitude pruning": (by_magnitude, (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)),
    "second-order pruning": (by_second_order, (1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05)),
    "ablation": (by_ablation, (0.002, 0.01, 0.03, 0.06, 0.12, 0.25)),
    "sparse dictionary": (by_dictionary, (0.01, 0.03, 0.1, 0.3)),
    "clustering over seeds": (by_clustering, (0.02, 0.05, 0.1, 0.2, 0.4)),
}


def score(claimed: Lines, answer: Lines) -> tuple[int, int, float]:
    """How many lines of the answer are found, how many of the claimed ones are false, and F1 (a line counts once).

    >>> score(np.array([[1, -1, 0.01], [1, -1, 0.0], [1, 1, 0]]), np.array([[1, -1, 0], [0, 1, 0]]))
    (1, 1, 0.5)
    """
    close = abs(claimed[:, None] - answer[None]).max(axis=2) <= NEAR
    found, false = int(close.any(axis=0).sum()), int((~close.any(axis=1)).sum())
    return found, false, 2 * found / (found + false + len(answer)) if len(answer) else 0.0


def trained(base: int, tasks=tuple(TASKS), widths=WIDTHS) -> list[tuple[str, str, list[Network]]]:
    """All groups of trained networks, SEEDS of them a task and a width: (kind, task, networks)."""
    groups = []
    for width in widths:
        names = [t for t in tasks for _ in range(SEEDS)]
        seeds = [base + 1000 * width + 10 * list(TASKS).index(t) + s for t in tasks for s in range(SEEDS)]
        made = train(names, width, seeds)
        groups += [(f"trained, {width}", t, made[k * SEEDS : (k + 1) * SEEDS]) for k, t in enumerate(tasks)]
    return groups


def disguised(base: int, tasks=tuple(TASKS), noises=(0.0, 1e-3)) -> list[tuple[str, str, list[Network]]]:
    groups = []
    for noise, task in itertools.product(noises, tasks):
        seeds = [base + 10 * list(TASKS).index(task) + s for s in range(SEEDS)]
        made = [mc.hide(TASKS[task], width=24, seed=s, noise=noise).network.to_float() for s in seeds]
        groups.append((f"disguised, noise {noise:g}", task, made))
    return groups


def answers() -> dict[str, Lines]:
    return {task: lines_of(mc.function_form(network)) for task, network in TASKS.items()}


def tune(groups) -> dict[str, float]:
    """For each method the threshold with the best mean F1."""
    truth = answers()
    best = {}
    for name, (method, thresholds) in METHODS.items():
        means = [np.mean([score(method(g, t), truth[task])[2] for _, task, g in groups]) for t in thresholds]
        best[name] = thresholds[int(np.argmax(means))]
    return best


def table(groups, thresholds: dict[str, float]) -> list[dict]:
    """One row for each method and group: what it finds, what it claims falsely."""
    truth, rows = answers(), []
    for name, (method, _) in METHODS.items():
        for kind, task, group in groups:
            start = time.process_time()
            claimed = method(group, thresholds[name])
            seconds = time.process_time() - start
            found, false, f1 = score(claimed, truth[task])
            rows.append(
                {"method": name, "threshold": thresholds[name], "kind": kind, "task": task, "lines": len(truth[task])}
                | {"found": found, "false": false, "f1": f"{f1:.3f}", "seconds": f"{seconds:.2f}"}
                | {"function": int(exactly_read(group[0], task)) if name == "read" else ""}
            )
    return rows


def exactly_read(network: Network, task: str) -> bool:
    """Whether what ``read`` rounds it to is the function of the task, for all real inputs."""
    reading = mc.read(network)
    return reading.network is not None and mc.function_form(reading.network) == mc.function_form(TASKS[task])


def export(groups, folder: Path) -> None:
    """Write the networks as npz and their answers as JSON, to be read without this package."""
    arrays, notes = {}, {}
    for kind, task, group in groups:
        for s, network in enumerate(group):
            key = f"{kind}/{task}/{s}"
            for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
                arrays[f"{key}/weight{k}"], arrays[f"{key}/bias{k}"] = w, b
            form = mc.function_form(TASKS[task])
            lines = [
                {"normal": [*map(str, k.normal)], "offset": str(k.offset), "bend": str(k.bend)} for k in form.kinks
            ]
            notes[key] = {"slope": [*map(str, form.slope)], "constant": str(form.constant), "lines": lines}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "networks.npz", **arrays)
    (folder / "answers.json").write_text(json.dumps(notes, indent=1))


def main() -> None:
    torch.set_num_threads(1)
    thresholds = tune(trained(OPEN) + disguised(OPEN))
    print(thresholds)
    rows = table(trained(HELD) + disguised(HELD), thresholds)
    part = OUT.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(OUT)


if __name__ == "__main__":
    main()
