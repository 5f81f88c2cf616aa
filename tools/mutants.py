"""Break the project on purpose, one line at a time, and see whether its tests notice.

Each fault is a part of one line, found by its text, that is replaced by a wrong one in a copy of the project. Then the
test named beside it runs on the copy. Before that, all the tests that are named pass on a copy without a fault.

    python tools/mutants.py                    all faults, in minutes; fails if one is not noticed
    python tools/mutants.py forms reading      those in files of such names only
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "certificates",
    "mathcircuits",
    "studies",
    "tests",
    "tools",
)  # what may be broken, and what runs; the rest is linked to
LEFT_OUT = (".git", ".venv", "build")
SECONDS = 300  # a test that takes longer has noticed: nobody would wait for it
# Imports take longer than most of the tests: they are done once, in a process of which each test run is a fork.
PROCESSES = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
PRELOADED = ["torch", "matplotlib.pyplot", "seaborn", "scipy.stats", "sympy", "z3", "jupyter_client", "nbformat"]


class Fault(NamedTuple):
    """A wrong line. ``why`` explains one that no test notices."""

    file: str
    old: str
    new: str
    test: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.old} → {self.new}"


FAULTS = (
    Fault(
        "mathcircuits/figures.py",
        "rgb / 255 @ TO_DARK[:3] + TO_DARK[3]",
        "rgb / 255 @ TO_DARK[:3]",
        "tests/test_figures.py::test_dark_files_are_the_light_ones_with_other_colours",
    ),
    Fault(
        "mathcircuits/figures.py",
        "rgba[..., :3] = _darkened(rgba[..., :3])",
        "pass",
        "tests/test_figures.py::test_pictures_inside_a_dark_svg_are_dark",
    ),
    Fault(
        "mathcircuits/figures.py",
        "image.putpalette(_darkened(colours).ravel().tolist())",
        "pass",
        "tests/test_figures.py::test_dark_files_are_the_light_ones_with_other_colours",
    ),
    Fault(
        "mathcircuits/certificates.py",
        "total[whole] = total.get(whole, 0) + size",
        "total = {whole: size, **total}",
        "tests/test_certificates.py::test_what_only_looks_symmetric_is_refuted",
    ),
    Fault(
        "certificates/symmetry.py",
        "total[whole] = total.get(whole, 0) + size",
        "total = {whole: size, **total}",
        "tests/test_certificates.py::test_sums_of_maxima_are_the_networks",
    ),
    Fault(
        "certificates/check.py",
        'demand(sets and all(sets) and terms, "the domain or the function is empty")',
        "pass",
        "tests/test_certificates.py::test_the_checker_refuses_what_it_cannot_answer_for",
        why="what is empty also fails where lengths must agree; the line gives the better sentence",
    ),
    Fault(
        "mathcircuits/certificates.py",
        "choices = itertools.combinations(range(n), self.function.nonzero or n)",
        "choices = itertools.combinations(range(n), n)",
        "tests/test_certificates.py::test_few_inputs_are_a_smaller_claim",
    ),
    Fault(
        "mathcircuits/proof.py",
        "zeros = itertools.combinations(inputs, left.arity - nonzero)",
        "zeros = itertools.combinations(inputs, left.arity - nonzero + 1)",
        "tests/test_certificates.py::test_few_inputs_are_a_smaller_claim",
    ),
    Fault(
        "mathcircuits/functions.py",
        "return generator.random((rows, n)).argsort(1) < k",
        "return generator.random((rows, n)).argsort(1) <= k",
        "tests/test_certificates.py::test_few_inputs_are_a_smaller_claim",
    ),
    Fault(
        "mathcircuits/sharing.py",
        "sign = -1 if k in turned else 1",
        "sign = 1",
        "tests/test_sharing.py::test_random_networks_get_smaller_and_stay_the_same",
    ),
    Fault(
        "mathcircuits/sharing.py",
        "constant = constant - share * offset",
        "pass",
        "tests/test_sharing.py::test_random_networks_get_smaller_and_stay_the_same",
    ),
    Fault(
        "mathcircuits/optimal.py",
        "units = doubled + 2 * (_rank([*left, *free]) - _rank(free))",
        "units = doubled + 2 * _rank([*left, *free])",
        "tests/test_sharing.py::test_known_sizes",
    ),
    Fault(
        "mathcircuits/circuits.py",
        "touching = [[1 - k * k, 2 * k, -1] * 2 for k in points]",
        "touching = [[2 - k * k, 2 * k, -1] * 2 for k in points]",
        "tests/test_superposition.py::test_six_units_are_proved",
    ),
    Fault(
        "mathcircuits/training.py",
        "torch.ops.aten.threshold_backward.grad_input(delta, layers[k], 0, grad_input=delta)",
        "pass",
        "tests/test_training.py::test_gradients_of_random_networks",
    ),
    Fault(
        "studies/superposition.py",
        "(density / 3 - density**2 / 4)",
        "(density / 3)",
        "tests/test_superposition.py::test_loss_without_sharing",
    ),
    Fault(
        "tools/readme.py",
        "if key not in found:",
        "if False:",
        "tests/test_project.py::test_numbers_in_the_text_are_those_of_the_notebooks",
    ),
    Fault(
        "tools/readme.py",
        'found |= {key: sum(row[key] for row in rows) for key in ("seeds", "solved")}',
        'found |= {key: rows[0][key] for key in ("seeds", "solved")}',
        "tests/test_project.py::test_numbers_of_many_rows_are_their_sums",
    ),
    Fault(
        "mathcircuits/optimal.py",
        "SeedSequence([int(n) for n in numbers])",
        "SeedSequence([int(n) for n in numbers[1:]])",
        "tests/test_optimal.py::test_every_attempt_of_every_seed_draws_from_a_stream_of_its_own",
    ),
    Fault(
        "mathcircuits/circuits.py",
        "lift = linear([1, 0, 0, 2, 0, 1])",
        "lift = linear([1, 0, 0, 1, 0, 1])",
        "tests/test_circuits.py::test_circuit_is_the_one_typed_by_hand",
    ),
    Fault(
        "mathcircuits/circuits.py",
        "Fraction(4, 4**k)",
        "Fraction(3, 4**k)",
        "tests/test_circuits.py::test_square_is_the_chords_of_the_square",
    ),
    Fault(
        "mathcircuits/circuits.py",
        "terms.add((c, *sorted(tuple(sorted(",
        "terms.add((c, *(tuple(sorted(",
        "tests/test_circuits.py::test_maximum_of_six_is_made_of_the_same_parts",
    ),
    Fault(
        "mathcircuits/figures.py",
        "quantize(64,",
        "quantize(4,",
        "tests/test_figures.py::test_in_a_notebook_a_figure_keeps_its_colours_in_few_bytes",
    ),
    Fault(
        "mathcircuits/figures.py",
        "if folder is None and project is None:",
        "if folder is None:",
        "tests/test_figures.py::test_in_a_clone_figures_go_to_its_own_folder",
    ),
    Fault(
        "mathcircuits/forms.py",
        "/ (reach[group].sum() or 1) for",
        "/ (reach[group[0]] or 1) for",
        "tests/test_forms.py::test_what_tolerance_counts_as_equal_or_zero",
    ),
    Fault(
        "mathcircuits/forms.py",
        "order = _descending(means, 10 * slack)",
        "order = _descending(means, slack)",
        "tests/test_forms.py::test_order_does_not_hang_on_noise",
    ),
    Fault(
        "mathcircuits/forms.py",
        "for kink in kinks], 10 * slack)]",
        "for kink in kinks], slack)]",
        "tests/test_forms.py::test_order_does_not_hang_on_noise",
    ),
    Fault(
        "mathcircuits/forms.py",
        "alive = size * abs(out).max(axis=0) > slack",
        "alive = size > slack",
        "tests/test_forms.py::test_what_tolerance_counts_as_equal_or_zero",
    ),
    Fault(
        "mathcircuits/forms.py",
        "out @ (np.maximum(biases[k], 0) * ~alive)",
        "out @ (biases[k] * ~alive)",
        "tests/test_forms.py::test_layer_of_dead_units_keeps_one_of_zeros tests/test_forms.py::test_canonical_form_typed_by_hand tests/test_forms.py::test_canonical_form_is_the_same_after",
    ),
    Fault(
        "mathcircuits/forms.py",
        "if abs(rows[j] - rows[group[0]]).max() * reach[j] <= slack:",
        "if abs(rows[j] - rows[group[0]]).max() <= slack:",
        "tests/test_forms.py::test_what_tolerance_counts_as_equal_or_zero",
    ),
    Fault(
        "mathcircuits/forms.py",
        "if abs(bend) * (1 if box is None else -below * chord) <= slack:",
        "if abs(bend) <= slack:",
        "tests/test_forms.py::test_form_on_a_box tests/test_forms.py::test_kinks_that_hardly_bend_leave_their_chord",
    ),
    Fault(
        "mathcircuits/forms.py",
        "if share and not (slope - share * row[:-1]).any():",
        "if share:",
        "tests/test_forms.py::test_form_is_the_function_and_gives_it_back",
    ),
    Fault(
        "mathcircuits/forms.py",
        "distance = max(abs(a - b).max()",
        "distance = min(abs(a - b).max()",
        "tests/test_forms.py::test_snap_by_hand",
    ),
    Fault(
        "mathcircuits/forms.py",
        "bends.get(direction, 0) + abs(first) * column",
        "bends.get(direction, 0) + first * column",
        "tests/test_forms.py::test_layer_that_bends_stays",
    ),
    Fault(
        "mathcircuits/naming.py",
        "{', '.join(sorted(inside))}",
        "{', '.join(inside)}",
        "tests/test_reading.py::test_names_of_deeper_units_say_what_they_get",
    ),
    Fault(
        "mathcircuits/naming.py",
        "elif passed.get(second, 0) / c >= 1:",
        "elif passed.get(second, 0) / c > 1:",
        "tests/test_reading.py::test_names_of_deeper_units_say_what_they_get",
    ),
    Fault(
        "mathcircuits/naming.py",
        "facing = -1 if terms[0][0] < 0 else 1",
        "facing = 1",
        "tests/test_reading.py::test_circuits_of_wider_networks",
    ),
    Fault(
        "mathcircuits/naming.py",
        "if distance > nearness:",
        "if False:",
        "tests/test_reading.py::test_duplicates_unrecognised_and_what_does_not_count",
    ),
    Fault(
        "mathcircuits/naming.py",
        "if plus == -minus:",
        "if plus == -minus and False:",
        "tests/test_reading.py::test_circuits_of_wider_networks",
    ),
    Fault(
        "mathcircuits/network.py",
        "array.flags.writeable = False",
        "pass",
        "tests/test_network.py::test_network_cannot_be_changed",
    ),
    Fault(
        "mathcircuits/network.py",
        "part = name if abs(c) == 1 and name else",
        "part = name if abs(c) == 1 else",
        "tests/test_network.py::test_equations",
    ),
    Fault(
        "mathcircuits/network.py",
        "self.weights[0] @ inner.biases[-1] + self.biases[0]",
        "self.weights[0] @ inner.biases[-1]",
        "tests/test_network.py::test_composition_is_composition_of_functions",
    ),
    Fault(
        "mathcircuits/network.py",
        '"hgfedcba"[k % 8]',
        '"hhhhhhhh"[k % 8]',
        "tests/test_plotting.py::test_heatmaps_name_units_as_equations_do",
    ),
    Fault(
        "mathcircuits/plotting.py",
        "colour = _pale(_colour(weight)) if idle else _colour(weight)",
        "colour = _colour(weight)",
        "tests/test_plotting.py::test_activations_show_the_value_of_every_node",
    ),
    Fault(
        "mathcircuits/plotting.py",
        "np.median(loss[chosen], axis=0)",
        "np.mean(loss[chosen], axis=0)",
        "tests/test_plotting.py::test_the_curve_among_those_of_solved_runs_is_their_median",
    ),
    Fault(
        "mathcircuits/plotting.py",
        "taken = [(*centre, *size) for n in networks",
        "taken = [(*centre, *size) for n in ()",
        "tests/test_plotting.py::test_no_two_labels_overlap_each_other_or_a_node",
    ),
    Fault(
        "mathcircuits/plotting.py",
        "limit = max(map(_largest, networks))",
        "limit = _largest(networks[0])",
        "tests/test_plotting.py::test_heatmaps_show_every_weight_on_one_scale",
    ),
    Fault(
        "mathcircuits/plotting.py",
        "alike = [n for n in networks.values() if n.widths == network.widths]",
        "alike = [network]",
        "tests/test_plotting.py::test_comparison_has_one_geometry_and_one_scale",
    ),
    Fault("mathcircuits/plotting.py", 'strip("−") in ("0", "0.000")', 'strip("−") in ("0",)', "tests/test_plotting.py"),
    Fault(
        "mathcircuits/plotting.py",
        'sign = "" if bias < 0 else "+"',
        'sign = ""',
        "tests/test_plotting.py::test_biases_are_shown_only_where_they_are_not_zero",
    ),
    Fault(
        "mathcircuits/reading.py",
        "canonical(_levelled(given), tolerance=slack)",
        "canonical(given, tolerance=slack)",
        "tests/test_reading.py::test_how_much_a_unit_counts_does_not_hang_on_the_scale_of_those_that_read_it",
    ),
    Fault(
        "mathcircuits/reading.py",
        "missed.min() > (slack / 3) ** 2",
        "missed.min() > slack**2",
        "tests/test_reading.py::test_a_kink_is_left_out_only_if_its_function_hardly_changes",
    ),
    Fault(
        "mathcircuits/reading.py",
        "tuple(map(_plainest, ends))",
        "tuple(ends)",
        "tests/test_reading.py::test_a_reading_does_not_depend_on_what_was_read_before",
    ),
    Fault(
        "mathcircuits/reading.py",
        "if f not in real and _within(box, _hull(f))]",
        "if f not in real]",
        "tests/test_reading.py::test_networks_of_no_known_function_are_not_matched",
    ),
    Fault(
        "mathcircuits/reading.py",
        "if error <= slack and _precise(given, exact, box, _tidy(given, exact, box, slack, by)):",
        "if error <= slack:",
        "tests/test_reading.py::test_a_near_miss_that_scatters_a_little_is_not_the_function",
    ),
    Fault("mathcircuits/reading.py", "if _within([(f.low, f.high)] * f.arity, box)]", "]", "tests/test_reading.py"),
    Fault(
        "mathcircuits/sweeping.py",
        "            future.cancel()",
        "            pass",
        "tests/test_sweep.py::test_calls_that_have_not_begun_are_cancelled_after_a_failure",
    ),
    Fault(
        "mathcircuits/sweeping.py",
        "        torch.set_num_threads(threads)",
        "        pass",
        "tests/test_sweep.py::test_the_number_of_threads_here_does_not_matter_and_is_left_alone",
    ),
    Fault(
        "mathcircuits/sweeping.py",
        'if runs.steps[-1] < share["steps"]:',
        'if runs.steps[-1] > share["steps"]:',
        "tests/test_sweep.py::test_a_part_of_a_call_is_not_returned",
    ),
    Fault(
        "mathcircuits/training.py",
        "fill = (0, -len(x) % 16)",
        "fill = (0, 0)",
        "tests/test_training.py::test_a_seed_ends_the_same_alone_or_among_others",
    ),
    Fault(
        "mathcircuits/training.py",
        "for t in stacked] if len(seeds) == 1 else stacked",
        "for t in stacked] if len(seeds) == 0 else stacked",
        "tests/test_training.py::test_a_seed_ends_the_same_alone_or_among_others tests/test_training.py::test_a_seed_ends_the_same_alone_or_among_others_on_two_threads",
    ),
    Fault(
        "mathcircuits/training.py",
        "initial, depth = [p.clone() for p in parameters]",
        "initial, depth = [p for p in parameters]",
        "tests/test_training.py::test_an_initial_network_of_ones_own tests/test_training.py::test_initial_weights_are_those_of_linear_layers",
    ),
    Fault(
        "mathcircuits/training.py",
        "first, right=True)",
        "first)",
        "tests/test_training.py::test_gradients_where_inputs_lie_on_the_boundaries_of_units",
    ),
    Fault(
        "mathcircuits/training.py",
        "error *= (w != 0).any(0)",
        "pass",
        "tests/test_training.py::test_gradients_by_hand tests/test_training.py::test_gradients_where_inputs_lie_on_the_boundaries_of_units",
    ),
    Fault(
        "mathcircuits/training.py",
        "2 / y.numel())",
        "2 / y.shape[1])",
        "tests/test_training.py::test_several_values_and_domains_train_as_one_at_a_time",
    ),
    Fault(
        "mathcircuits/training.py",
        "np.random.default_rng(batch_seed)",
        "np.random.default_rng(0)",
        "tests/test_training.py::test_batches_are_drawn_by_their_own_seed",
    ),
    Fault(
        "mathcircuits/training.py",
        '["diverged", "solved", "dead"], "failed"',
        '["diverged", "dead", "solved"], "failed"',
        "tests/test_training.py::test_a_dead_network_that_is_right_is_solved tests/test_training.py::test_dead_networks_are_reported",
    ),
    Fault(
        "tools/gallery.py",
        "(?<=[.!?])\\**\\s+(?=[A-Z*])",
        "(?<=[.!?])\\s+(?=[A-Z*])",
        "tests/test_figures.py::test_caption_is_the_sentence_before_the_cell",
    ),
    Fault(
        "tools/readme.py",
        'or (percent == "100" and solved < seeds):',
        'or percent == "":',
        "tools/readme.py::readme.share",
    ),
    Fault(
        "tools/readme.py",
        "if len(cells) > 1:",
        "if len(cells) > 2:",
        "tests/test_project.py::test_two_cells_of_results_are_refused",
    ),
    Fault(
        "mathcircuits/certificates.py",
        "    return (high > 0) - (low < 0)",
        "    return 1",
        "tests/test_certificates.py::test_every_circuit_of_the_library_is_certified",
    ),
    Fault(
        "mathcircuits/certificates.py",
        "if low < 0 < high:",
        "if False:",
        "tests/test_certificates.py::test_every_circuit_of_the_library_is_certified",
    ),
    Fault(
        "certificates/check.py",
        "    demand(not {1, -1} <= signs,",
        "    demand(True or not {1, -1} <= signs,",
        "tests/test_certificates.py::test_what_is_damaged_is_rejected",
    ),
)


def broken(fault: Fault, root: Path = ROOT) -> str:
    """Return the text of a file with a fault in it.

    Raises:
        ValueError: a text that does not occur exactly once in the file, is more than a line, or is not changed.
    """
    text = (root / fault.file).read_text(encoding="utf-8")
    if text.count(fault.old) != 1 or "\n" in fault.old + fault.new or fault.old == fault.new:
        raise ValueError(f"{fault}: found {text.count(fault.old)} times; wanted a part of one line, once, and changed")
    return text.replace(fault.old, fault.new)


def run(fault: Fault | None, tests: list[str], root: Path = ROOT) -> tuple[int, str]:
    """Run tests on a copy of the project with a fault; return pytest's exit status and the first test that failed."""
    with tempfile.TemporaryDirectory(prefix="mathcircuits-mutant-") as folder:
        for path in root.iterdir():
            if path.name in COPIED:
                shutil.copytree(path, Path(folder, path.name), ignore=shutil.ignore_patterns("__pycache__"))
            elif path.name not in LEFT_OUT:
                os.symlink(path, Path(folder, path.name))
        if fault:
            Path(folder, fault.file).write_text(broken(fault, root), encoding="utf-8")
        process = PROCESSES.Process(target=_pytest, args=(folder, tests))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            return 1, f"nothing within {SECONDS} s"
        said = Path(folder, "said").read_text(encoding="utf-8")
    failed = [line.split(" - ")[0] for line in said.split("\n") if line.startswith(("FAILED ", "ERROR "))]
    return process.exitcode, failed[0] if failed else said[-2000:]


def _pytest(folder: str, tests: list[str]) -> None:
    """Run tests in this process, in a folder, and end it with their exit status, or 3 if they cannot run."""
    status = 3
    try:
        os.chdir(folder)
        os.environ["PYTHONPATH"] = folder
        sys.path.insert(0, folder)
        with (
            open("said", "w", encoding="utf-8") as said,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
    finally:
        os._exit(status)


def judged(fault: Fault, root: Path = ROOT) -> tuple[str, str]:
    """Return whether a fault is "killed", "survived", "explained" or an "error" of the table, and a line on it."""
    status, failed = run(fault, fault.test.split(), root)
    word = {0: "explained" if fault.why else "survived", 1: "killed"}.get(status, "error")
    more = {"killed": f" [{failed.split('::')[-1]}]", "explained": f" ({fault.why})", "error": f"\n{failed}"}
    return word, f"{word:10}{fault}{more.get(word, '')}"


def main(names: list[str] | None = None, faults: tuple[Fault, ...] = FAULTS, root: Path = ROOT) -> str | None:
    """Judge the faults in files of these names, or all; return what is wrong, or None."""
    names = sys.argv[1:] if names is None else names
    chosen = [fault for fault in faults if not names or any(name in Path(fault.file).name for name in names)]
    for fault in chosen:
        broken(fault, root)
    os.environ["OMP_NUM_THREADS"] = "1"
    PROCESSES.set_forkserver_preload(PRELOADED)
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        tests = sorted({test for fault in chosen for test in fault.test.split()})
        for status, failed in pool.map(
            lambda part: run(None, part, root), filter(None, (tests[k::workers] for k in range(workers)))
        ):
            if status:
                return f"without a fault: {failed}"
        counts: dict[str, int] = {}
        for word, line in pool.map(lambda fault: judged(fault, root), chosen):
            print(line, flush=True)
            counts[word] = counts.get(word, 0) + 1
    print(", ".join(f"{n} {word}" for word, n in counts.items()) or "no such files")
    wrong = {word: n for word, n in counts.items() if word in ("survived", "error")}
    return f"{sum(wrong.values())} faults of {len(chosen)} were not noticed" if wrong else None


if __name__ == "__main__":
    sys.exit(main())
