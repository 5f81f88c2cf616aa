"""Write the table of results in README.md from the outputs of the executed notebooks.

A notebook that has rows in the table prints them, a dictionary a line, in its one code cell tagged "results".

    python tools/readme.py            write the table
    python tools/readme.py --check    fail if the table is not the one the notebooks give
"""

import argparse
import ast
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- results -->", "<!-- /results -->"
KEYS = {"function": str, "units": str, "proved": str, "seeds": int, "solved": int}
HEADER = """\
| Notebook | Function | Hidden units | Proved for | Seeds solved |
|:--|:--|:--|:--|--:|"""


def cell_source(cell: dict) -> str:
    """Return the text of a cell, which a notebook may hold in lines."""
    return "".join(cell["source"])


def printed(notebook: dict, tag: str) -> list[dict]:
    """Return the dictionaries that the cell with this tag printed, one a line; none if there is no such cell."""
    cells = [cell for cell in notebook["cells"] if tag in cell["metadata"].get("tags", [])]
    if len(cells) > 1:
        raise ValueError(f"{len(cells)} cells are tagged {tag!r}; wanted one at most")
    outputs = [out for cell in cells for out in cell["outputs"] if out.get("name") == "stdout"]
    text = "".join("".join(out["text"]) for out in outputs).strip()
    try:
        rows = [ast.literal_eval(line) for line in text.split("\n")] if cells else []
    except (SyntaxError, ValueError):
        rows = [None]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"the cell tagged {tag!r} printed {text!r}; wanted a dictionary a line")
    return rows


def results(notebook: dict) -> list[dict]:
    """Return what the cell tagged "results" printed: its rows of the table, none if there is no such cell."""
    rows = printed(notebook, "results")
    for row in rows:
        if {key: type(value) for key, value in row.items()} != KEYS:
            wanted = ", ".join(f"{key} ({kind.__name__})" for key, kind in KEYS.items())
            raise ValueError(f"the cell tagged 'results' printed {row!r}; wanted the keys {wanted}")
        if not 0 <= row["solved"] <= row["seeds"] or row["seeds"] == 0:
            raise ValueError(f"{row['solved']} of {row['seeds']} seeds solved; that cannot be")
    return rows


def title(notebook: dict) -> str:
    """Return the title: the heading that the first cell begins with."""
    line = cell_source(notebook["cells"][0]).split("\n")[0]
    if not line.startswith("# "):
        raise ValueError(f"the first cell begins with {line!r}; wanted a title, '# …'")
    return line.removeprefix("# ").strip()


def share(solved: int, seeds: int) -> str:
    """Return a count with its percentage, which is 0 or 100 only if it is so exactly.

    >>> share(471, 1000), share(999, 1000), share(100, 100)
    ('471 of 1,000 (47 %)', '999 of 1,000 (99.9 %)', '100 of 100 (100 %)')
    """
    percent = f"{100 * solved / seeds:.0f}"
    if (percent == "0" and solved) or (percent == "100" and solved < seeds):
        percent = f"{100 * solved / seeds:.1f}"
    return f"{solved:,} of {seeds:,} ({percent} %)"


def without_bars(text: str) -> str:
    """Return a text for a cell of a table, which a bar would end, even in a formula.

    >>> print(without_bars("all of $|x|$"))
    all of $\\vert x\\vert $
    """
    return re.sub(r"(?<!\\)\|", r"\\vert ", text)


def table(notebooks: dict[str, dict]) -> str:
    """Return the table in Markdown: the rows of each notebook with results, under its path from the README."""
    lines = [HEADER]
    for path, notebook in notebooks.items():
        try:
            rows, name = results(notebook), title(notebook)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        for row in rows:
            function, solved = without_bars(row["function"]), share(row["solved"], row["seeds"])
            lines.append(f"| [{name}]({path}) | ${function}$ | {row['units']} | {row['proved']} | {solved} |")
    return "\n".join(lines)


def updated(readme: str, notebooks: dict[str, dict]) -> str:
    """Return the text of the README with the table between its two markers made anew."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ValueError(f"README.md must hold {BEGIN} and {END} once each, in this order")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table(notebooks)}\n{END}{rest.split(END)[1]}"


def read_notebooks(root: Path = ROOT) -> dict[str, dict]:
    """Return the notebooks of the series in reading order, each under its path from the root."""
    paths = sorted((root / "notebooks").glob("[0-9A]*.ipynb"))
    return {path.relative_to(root).as_posix(): json.loads(path.read_text(encoding="utf-8")) for path in paths}


def write_or_check(file: Path, make: Callable[[str], str], arguments: list[str] | None) -> str | None:
    """Write what ``make`` gives for the text of a file, or with --check compare; return what is wrong, or None."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="change nothing, fail if it is not current")
    options = parser.parse_args(arguments)
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    try:
        new = make(old)
    except ValueError as error:
        return str(error)
    if new == old:
        return None
    if options.check:
        return f"{file.name} in {file.parent.name}/ is not the one the notebooks give: run `make run`"
    # Written beside it and moved over it: whole or not at all.
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(new, encoding="utf-8")
    os.replace(fresh, file)
    return None


def main(arguments: list[str] | None = None, root: Path = ROOT) -> str | None:
    """Write or check the table; return what is wrong, or None."""
    readme = root / "README.md"
    if not readme.exists():
        return f"{readme} does not exist; the table has no place to go"
    return write_or_check(readme, lambda old: updated(old, read_notebooks(root)), arguments)


if __name__ == "__main__":
    sys.exit(main())
