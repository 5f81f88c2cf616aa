"""What every notebook has to be, beyond running: each check is a function from a notebook to what is wrong.

The checks are tested too: each must find the fault in a notebook that is broken on purpose.
"""

import ast
import copy
import json
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from gallery import saved_figures

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "figures"
PATHS = [p for p in sorted((ROOT / "notebooks").rglob("*.ipynb")) if p.parent.name != ".ipynb_checkpoints"]
IDS = [path.relative_to(ROOT / "notebooks").as_posix() for path in PATHS]

LEFT_OUT = re.compile(r"(nbval|pytest_validate)[-_](ignore|skip|raises)|raises-exception", re.IGNORECASE)
LINK = re.compile(r"""\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|(?:src|href)=["']([^"']+)["']""")


# Reading a notebook


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell: dict) -> str:
    return "".join(cell["source"])


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def markdown_lines(cell: dict) -> list[str]:
    """Return the lines of a markdown cell, without blocks of code."""
    return re.sub(r"^```.*?^```", "", source(cell), flags=re.MULTILINE | re.DOTALL).split("\n")


def outputs(cell: dict, kind: str) -> list[dict]:
    return [out for out in cell["outputs"] if out["output_type"] == kind]


def has_picture(cell: dict) -> bool:
    return any(mime.startswith("image/") for out in cell["outputs"] for mime in out.get("data", {}))


def has_assert(cell: dict) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(source(cell))))


# Checks on one notebook: each returns a list of what is wrong


def executed_in_order(notebook: dict, path: Path) -> list[str]:
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"cells were executed as {counts}"]


def quiet(notebook: dict, path: Path) -> list[str]:
    problems = []
    for n, cell in enumerate(code_cells(notebook), 1):
        problems += [f"code cell {n} ends in an error" for _ in outputs(cell, "error")]
        streams = [out["name"] for out in outputs(cell, "stream")]
        problems += [f"code cell {n} writes to stderr" for name in streams if name == "stderr"]
    return problems


def no_timestamps(notebook: dict, path: Path) -> list[str]:
    keys = {"execution", "ExecuteTime"}
    return [
        f"cell {n} records when it was executed"
        for n, cell in enumerate(notebook["cells"], 1)
        if keys & cell["metadata"].keys()
    ]


def small(notebook: dict, path: Path) -> list[str]:
    size = len(json.dumps(notebook, indent=1, ensure_ascii=False).encode())
    return [] if size < 500_000 else [f"the file has {size:,} bytes"]


def short_cells(notebook: dict, path: Path) -> list[str]:
    problems, lengths = [], []
    for n, cell in enumerate(code_cells(notebook), 1):
        lines = source(cell).split("\n")
        lengths.append(sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines))
        if len(lines) > 25:
            problems.append(f"code cell {n} has {len(lines)} lines")
    if lengths and statistics.median(lengths) > 5:
        problems.append(f"the median cell has {statistics.median(lengths)} lines of code")
    return problems


def one_title(notebook: dict, path: Path) -> list[str]:
    titles = [
        (n, line)
        for n, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "markdown"
        for line in markdown_lines(cell)
        if re.match(r"#\s", line)
    ]
    if len(titles) != 1 or titles[0][0] != 0:
        return [f"wanted one title, in the first cell; found {titles}"]
    wanted = (f"# {path.name[:2]} · ",) + (("# Solutions",) if path.parent.name == "solutions" else ())
    first = source(notebook["cells"][0])
    return [] if first.startswith(wanted) else [f"the first cell does not begin with {' or '.join(wanted)!r}"]


def set_up_cell(notebook: dict, path: Path) -> list[str]:
    kinds = [cell["cell_type"] for cell in notebook["cells"][:3]]
    if kinds != ["markdown", "markdown", "code"]:
        return [f"the notebook begins with {kinds}; wanted two of text, then the set-up"]
    lines = [line for line in source(notebook["cells"][2]).split("\n") if line.strip()]
    return [] if len(lines) <= 5 else [f"the set-up has {len(lines)} lines"]


def compared(notebook: dict, path: Path) -> list[str]:
    problems = []
    for n, cell in enumerate(code_cells(notebook), 1):
        left_out = LEFT_OUT.search(source(cell)) or LEFT_OUT.search(" ".join(cell["metadata"].get("tags", [])))
        if left_out and not re.search(r"#\s*not compared: \w+", source(cell)):
            problems.append(f"code cell {n} is left out of the comparison ({left_out[0]}) without a reason")
    return problems


def named_figures(notebook: dict, path: Path) -> list[str]:
    names = [name for cell in code_cells(notebook) for name in saved_figures(cell)]
    return [
        f"a figure is named {name!r}; wanted a string that begins with {path.name[:3]!r}"
        for name in names
        if name is None or not name.startswith(f"{path.name[:2]}-")
    ]


def backed_figures(notebook: dict, path: Path) -> list[str]:
    cells = code_cells(notebook)
    return [
        f"code cell {n} makes a figure, and neither it nor a neighbouring code cell asserts anything"
        for n, cell in enumerate(cells, 1)
        if (has_picture(cell) or saved_figures(cell)) and not any(map(has_assert, cells[max(n - 2, 0) : n + 1]))
    ]


def links(notebook: dict, path: Path) -> list[str]:
    problems = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            # Neither code nor a formula holds links, though f[x](y) looks like one.
            text = re.sub(r"`[^`\n]+`|\$\$.+?\$\$|\$[^$\n]+\$", "", "\n".join(markdown_lines(cell)), flags=re.DOTALL)
            targets = [a or b for a, b in LINK.findall(text)]
            local = [t for t in targets if not re.match(r"[a-z]+:|#", t)]
            problems += [
                f"the link to {target} leads nowhere"
                for target in local
                if not (path.parent / unquote(target.split("#")[0])).exists()
            ]
    return problems


def counts_in_text(notebook: dict, path: Path) -> list[str]:
    """Find counts of three digits or more in the text that stand in no output and no code of the notebook."""
    printed = [out["text"] for cell in code_cells(notebook) for out in outputs(cell, "stream")]
    code = [source(cell) for cell in code_cells(notebook)]
    known = set(re.findall(r"\d+", re.sub(r"(?<=\d)[,_](?=\d{3})", "", "\n".join(map("".join, printed + code)))))
    text = "\n".join(
        line for cell in notebook["cells"] if cell["cell_type"] == "markdown" for line in markdown_lines(cell)
    )
    text = re.sub(r"`[^`\n]+`|\$\$.+?\$\$|\$[^$\n]+\$|\]\([^)]+\)", " ", text, flags=re.DOTALL)
    counts = re.findall(r"(?<![\d.,])(?!(?:19|20)\d\d\b)(\d{3,}|\d{1,3}(?:,\d{3})+)(?![\d.]*\d)", text)
    return [f"{count} stands in no output" for count in counts if count.replace(",", "") not in known]


CHECKS = [
    counts_in_text,
    executed_in_order,
    quiet,
    no_timestamps,
    small,
    short_cells,
    one_title,
    set_up_cell,
    compared,
    named_figures,
    backed_figures,
    links,
]


# Checks on all of them together


def same_set_up(notebooks: list[dict]) -> list[str]:
    different = {source(code_cells(notebook)[0]) for notebook in notebooks}
    return [] if len(different) <= 1 else [f"{len(different)} different set-up cells: {sorted(different)}"]


KEPT = (".svg", ".png", "-dark.png")  # the others are made, and not kept


def figure_files(names: list[str], present: set[str]) -> list[str]:
    problems = [f"two figures are named {name}" for name in sorted(set(names)) if names.count(name) > 1]
    wanted = {f"{name}{kind}" for name in names for kind in KEPT}
    problems += [f"figures/{file} is missing" for file in sorted(wanted - present)]
    return problems + [f"figures/{file} is saved by no notebook" for file in sorted(present - wanted)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_notebook(path, check):
    assert check(load(path), path) == []


def test_same_set_up():
    assert same_set_up([load(path) for path in PATHS]) == []


def test_figure_files():
    names = [name for path in PATHS for cell in code_cells(load(path)) for name in saved_figures(cell)]
    files = {file.name for file in FIGURES.glob("*") if file.suffix in (".svg", ".png")}
    present = {name for name in files if not name.endswith("-dark.svg")}
    assert figure_files(names, present) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_links_of_documents(path):
    assert links({"cells": [{"cell_type": "markdown", "source": path.read_text(encoding="utf-8")}]}, path) == []


# The checks, checked


def markdown(text: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code(text: str, count: int, *outs: dict, **metadata) -> dict:
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": metadata,
        "outputs": list(outs),
        "source": text,
    }


PICTURE = {
    "output_type": "display_data",
    "metadata": {},
    "data": {"image/png": "aGk=", "text/plain": "<Figure>"},
}
GOOD = {
    "cells": [
        markdown("# 06 · Minimum\n\n```\n# a comment, not a title\n```\nIn 2022, 1,000 of $5000$, `777` and 1000."),
        markdown(f"See [this file]({Path(__file__).name}#checks), [there](https://example.org) and $f[x](y)$."),
        code("import numpy as np", 1),
        code("print(1)", 2, {"output_type": "stream", "name": "stdout", "text": "1\n"}),
        code("assert 1 + 1 == 2 and 1_000 > 999", 3),
        code('save_figure(figure, "06-minimum")', 4, PICTURE),
    ]
}
GOOD_PATH = Path(__file__).with_name("06_minimum.ipynb")


def broken(cell: int, **changes) -> dict:
    """Return the good notebook with one of its cells changed."""
    notebook = copy.deepcopy(GOOD)
    notebook["cells"][cell].update(changes)
    return notebook


BROKEN = [
    (executed_in_order, broken(3, execution_count=None)),
    (executed_in_order, broken(3, execution_count=7)),
    (quiet, broken(3, outputs=[{"output_type": "stream", "name": "stderr", "text": "warning"}])),
    (
        quiet,
        broken(3, outputs=[{"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}]),
    ),
    (no_timestamps, broken(3, metadata={"execution": {"iopub.execute_input": "2026-01-01T00:00:00Z"}})),
    (small, broken(3, source="x" * 500_000)),
    (short_cells, broken(3, source="\n" * 25)),
    (short_cells, {"cells": [code("x = 1\n" * 6, 1)]}),
    (one_title, broken(1, source="# Another title")),
    (one_title, broken(0, source="No title")),
    (one_title, broken(0, source="# 05 · Subtraction")),
    (one_title, broken(0, source="# Solutions")),
    (set_up_cell, broken(2, source="x = 1\n" * 6)),
    (set_up_cell, broken(1, cell_type="code")),
    (compared, broken(3, source="# NBVAL_IGNORE_OUTPUT\nprint(1)")),
    (compared, broken(3, source="# NBVAL_SKIP\nprint(1)")),
    (compared, broken(3, metadata={"tags": ["raises-exception"]})),
    (compared, broken(3, metadata={"tags": ["nbval-skip"]})),
    (named_figures, broken(5, source='mc.save_figure("05-minimum")')),
    (named_figures, broken(5, source="save_figure(name)")),
    (backed_figures, broken(4, source="1 + 1 == 2")),
    (
        backed_figures,
        broken(3, outputs=[PICTURE]) | {"cells": GOOD["cells"][:3] + [code("draw()", 2, PICTURE)]},
    ),
    (counts_in_text, broken(1, source="It was solved by 475 seeds.")),
    (counts_in_text, broken(1, source="It was solved by 1,475 of them.")),
    (links, broken(1, source="[a file](nowhere.ipynb)")),
    (links, broken(1, source='<img src="nowhere.png">')),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_passes_a_good_notebook(check):
    assert check(GOOD, GOOD_PATH) == []


@pytest.mark.parametrize(("check", "notebook"), BROKEN, ids=[check.__name__ for check, _ in BROKEN])
def test_check_finds_the_fault(check, notebook):
    assert check(notebook, GOOD_PATH) != []


def test_every_check_is_checked():
    assert {check for check, _ in BROKEN} == set(CHECKS)


def test_check_accepts_what_is_allowed():
    reason = "# NBVAL_IGNORE_OUTPUT\n# not compared: it prints the time\nprint(1)"
    assert compared(broken(3, source=reason), GOOD_PATH) == []
    solutions = GOOD_PATH.parent / "solutions" / GOOD_PATH.name
    assert one_title(broken(0, source="# Solutions to 06"), solutions) == []


def test_checks_on_all_find_the_fault():
    assert same_set_up([GOOD, GOOD]) == []
    assert same_set_up([GOOD, broken(2, source="import numpy")]) != []
    files = {f"06-minimum{kind}" for kind in KEPT}
    assert figure_files(["06-minimum"], files) == []
    assert figure_files(["06-minimum"], files - {"06-minimum-dark.png"}) != []
    assert figure_files(["06-minimum"], files | {"05-old.svg"}) != []
    assert figure_files(["06-minimum", "06-minimum"], files) != []


# Does comparing outputs mean anything?


def printed(cell: dict) -> bool:
    return any(out["name"] == "stdout" for out in outputs(cell, "stream")) if "outputs" in cell else False


def test_nbval_fails_on_a_changed_output(tmp_path):
    candidates = [path for path in PATHS if any(map(printed, code_cells(load(path))))]
    if not PATHS:
        pytest.skip("no notebooks")
    assert candidates, "no notebook prints anything"
    notebook = load(min(candidates, key=lambda path: path.stat().st_size))
    # What comes after the first cell that prints need not be executed here.
    last = next(n for n, cell in enumerate(notebook["cells"]) if printed(cell))
    notebook["cells"] = notebook["cells"][: last + 1]
    out = next(out for out in notebook["cells"][last]["outputs"] if out.get("name") == "stdout")
    true_text = "".join(out["text"])

    (tmp_path / "notebooks").mkdir()
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, tmp_path)
    # A progress bar leaves blanks behind when a notebook is run and saved in JupyterLab; a warning leaves its text.
    variants = {
        "true": (true_text, []),
        "changed": ("altered " + true_text, []),
        "saved": (true_text, [{"output_type": "stream", "name": "stderr", "text": [" " * 57]}]),
        "warned": (true_text, [{"output_type": "stream", "name": "stderr", "text": ["UserWarning: no"]}]),
    }
    outs = list(notebook["cells"][last]["outputs"])
    for name, (text, more) in variants.items():
        out["text"], notebook["cells"][last]["outputs"] = text, [*more, *outs]
        (tmp_path / f"notebooks/{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "--nbval", "notebooks"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 1
    assert set(re.findall(r"^FAILED notebooks/(\w+)", run.stdout, re.MULTILINE)) == {"changed", "warned"}, run.stdout
    assert "Cell outputs differ" in run.stdout and "Missing output fields" in run.stdout
