"""One list of versions, and a table that is current: what is written twice is held together here."""

import copy
import json
import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
import readme
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LINES = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(file: str = "requirements.txt") -> dict[str, str]:
    """Return the version that a file pins each package to."""
    found = re.findall(r"^([\w.-]+)==([\w.]+)(?:  # .*)?$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@cache
def needed() -> set[str]:
    """Return the packages that requirements.txt names, and what they need in this environment, but for GPUs."""
    found, todo = set(), [Requirement(name) for name in pins()]
    while todo:
        one = todo.pop()
        for extra in one.extras or {""}:
            name = canonicalize_name(one.name)
            if (name, extra) not in found and not re.match("nvidia-|cuda-|triton", name):
                found.add((name, extra))
                needs = map(Requirement, metadata.requires(name) or [])
                todo += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


def public(version: str) -> str:
    """Return a version without its local part: 2.13.0+cpu is a build of 2.13.0."""
    return Version(version).public


# Versions


@pytest.mark.parametrize("line", LINES)
def test_every_line_pins_exactly_and_says_what_for(line):
    assert re.fullmatch(r"([\w.-]+==[\w.]+|-c constraints\.txt|-e \.)  # \S.+", line)


def test_the_last_lines_are_the_constraints_and_the_package_itself():
    assert [line.split("  #")[0] for line in LINES[-2:]] == ["-c constraints.txt", "-e ."]
    assert len(pins()) == len(LINES) - 2, "a package is pinned twice"


def test_constraints_are_for_every_package_that_is_needed_and_no_other():
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    constraints = pins("constraints.txt")
    assert len(constraints) == len(lines) and lines == sorted(lines, key=str.lower)
    assert needed() <= constraints.keys() and pins().items() <= constraints.items()
    # What is needed on another system or Python may stand there, but nothing that this environment has for no reason.
    there = {canonicalize_name(found.name) for found in metadata.distributions()}
    assert constraints.keys() & there <= needed()


def test_versions_are_those_installed():
    constraints = pins("constraints.txt")
    installed = {name: public(metadata.version(name)) for name in needed()}
    assert installed == {name: constraints[name] for name in installed}


def test_environment_takes_its_versions_from_requirements():
    lines = [line.strip() for line in (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()]
    dependencies = lines[lines.index("dependencies:") + 1 :]
    assert dependencies == ["- python=3.11", "- pip", "- pip:", "- -r requirements.txt"]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains("3.11")


@pytest.mark.parametrize("dependency", PROJECT["dependencies"])
def test_package_has_lower_bounds_that_the_pins_meet(dependency):
    requirement = Requirement(dependency)
    assert [bound.operator for bound in requirement.specifier] == [">="]
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_versions_of_this_project_agree():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation
    assert metadata.version("mathcircuits") == PROJECT["version"]


# The table in the README

ROW = {
    "function": "|x|",
    "units": "2",
    "smallest": "proved",
    "proved": "all real inputs",
    "seeds": 1000,
    "solved": 471,
}


def executed(printed: str, cells: int = 1, tag: str = "results") -> dict:
    """Return a notebook in which the cell with this tag printed this."""
    result = {
        "cell_type": "code",
        "metadata": {"tags": [tag]},
        "source": ["print(row)"],
        "outputs": [{"output_type": "stream", "name": "stdout", "text": [printed]}],
    }
    first = {"cell_type": "markdown", "metadata": {}, "source": ["# 03 · Absolute value\n", "\n", "Text."]}
    return {"cells": [first, *(copy.deepcopy(result) for _ in range(cells))]}


def test_table_is_current():
    assert (ROOT / "README.md").exists(), "README.md is missing"
    assert readme.main(["--check"]) is None


def test_table_has_a_row_for_each_line_of_results():
    two = executed(f"{ROW}\n{ROW | {'solved': 0}}\n")
    recipe = executed(str({"by_recipe": {"x": [9, 10]}}), tag="numbers")
    notebooks = {"a.ipynb": executed(f"{ROW}\n"), "b.ipynb": recipe, "c.ipynb": two}
    begin = r"$\vert x\vert $ | 2 | proved | all real inputs"
    assert readme.table(notebooks).split("\n")[2:] == [
        rf"| [03 · Absolute value](a.ipynb) | {begin} | 471 of 1,000 (47 %) | – |",
        rf"| [03 · Absolute value](c.ipynb) | {begin} | 471 of 1,000 (47 %) | – |",
        rf"| [03 · Absolute value](c.ipynb) | {begin} | 0 of 1,000 (0 %) | – |",
    ]


def test_table_says_what_the_recipe_does():
    recipe = executed(str({"by_recipe": {"|x|": [9, 10]}}), tag="numbers")
    table = readme.table({"a.ipynb": executed(f"{ROW}\n"), "b.ipynb": recipe})
    assert table.endswith("| 471 of 1,000 (47 %) | 9 of 10 (90 %) |")


def test_many_rows_of_one_notebook_are_summed_up():
    """Sizes are added over layers, seeds over functions; what differs is said to differ."""
    rows = [ROW, ROW | {"units": "6 + 5"}, ROW | {"units": "1", "solved": 0}, ROW | {"units": "10"}]
    line = readme.table({"a.ipynb": executed("\n".join(map(str, rows)))}).split("\n")[-1]
    assert r"| $\text{4 more functions}$ | 1 to 11 | proved | all real inputs | 1,413 of 4,000 (35 %) |" in line
    rows[0] = ROW | {"smallest": "unknown", "proved": "[0, 1]"}
    line = readme.table({"a.ipynb": executed("\n".join(map(str, rows)))}).split("\n")[-1]
    assert "| 1 to 11 | some | the inputs that each is for |" in line


def test_numbers_in_the_text_are_those_of_the_notebooks():
    notebooks = {"notebooks/03_absolute_value.ipynb": executed(str(ROW))}
    markers = "<!-- results --><!-- /results --><!-- notebooks --><!-- /notebooks -->"
    text = readme.updated(f"{markers} <!--03:seeds-->7<!----> seeds, <!--03:share--><!---->", notebooks)
    assert text.endswith(" <!--03:seeds-->1,000<!----> seeds, <!--03:share-->471 of 1,000 (47 %)<!---->")
    assert readme.updated(text, notebooks) == text
    for wrong in ("03:unknown", "04:seeds"):
        with pytest.raises(ValueError, match="which prints none of that name"):
            readme.updated(f"{markers}<!--{wrong}--><!---->", notebooks)


def test_numbers_of_many_rows_are_their_sums():
    found = readme.numbers(executed(f"{ROW}\n{ROW | {'solved': 9}}\n"))
    assert found == {"seeds": 2000, "solved": 480, "share": "480 of 2,000 (24 %)"}


def test_every_notebook_has_its_line():
    digits = {path.name[:2] for path in (ROOT / "notebooks").glob("[0-9A]*.ipynb")}
    assert digits <= set(readme.ABOUT)
    assert {level for _, level in readme.ABOUT.values()} == set(readme.LEVELS)


def test_minutes_follow_words_and_lines():
    words = {"cell_type": "markdown", "source": ["word " * 1500]}
    code = {"cell_type": "code", "source": ["line\n"] * 120}
    assert [readme.minutes({"cells": cells}) for cells in ([], [words], [code], [words, code])] == [5, 10, 10, 20]


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "no dictionary",
        f"{ROW}\nno dictionary",
        "[1, 2]",
        str({**ROW, "extra": 1}),
        str({**ROW, "seeds": "1000"}),
        str({**ROW, "solved": 1001}),
        str({**ROW, "seeds": 0, "solved": 0}),
        str({key: ROW[key] for key in ROW if key != "units"}),
    ],
)
def test_results_of_another_shape_are_refused(printed):
    with pytest.raises(ValueError, match=r"^a\.ipynb: "):
        readme.table({"a.ipynb": executed(printed)})


def test_two_cells_of_results_are_refused():
    with pytest.raises(ValueError, match="2 cells are tagged"):
        readme.table({"a.ipynb": executed(str(ROW), cells=2)})


BEGIN, END = "<!-- results -->", "<!-- /results -->"
LIST = "<!-- notebooks --><!-- /notebooks -->"


@pytest.mark.parametrize("text", ["", BEGIN, END + BEGIN, 2 * (BEGIN + END), BEGIN + END])
def test_readme_without_its_markers_is_refused(text):
    with pytest.raises(ValueError, match="once each"):
        readme.updated(text, {})


def test_table_is_written_and_checked(tmp_path):
    assert "does not exist" in readme.main([], tmp_path)
    file, folder = tmp_path / "README.md", tmp_path / "notebooks"
    folder.mkdir()
    (folder / "03_absolute_value.ipynb").write_text(json.dumps(executed(str(ROW))), encoding="utf-8")
    file.write_text(f"before {BEGIN}stale{END}{LIST} after", encoding="utf-8")
    assert "is not the one" in readme.main(["--check"], tmp_path)
    assert "stale" in file.read_text(encoding="utf-8")
    assert readme.main([], tmp_path) is None
    assert readme.main(["--check"], tmp_path) is None
    text = file.read_text(encoding="utf-8")
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert "(notebooks/03_absolute_value.ipynb)" in text
    # A number that changes in a notebook makes the table stale.
    (folder / "03_absolute_value.ipynb").write_text(json.dumps(executed(str({**ROW, "solved": 472}))))
    assert "is not the one" in readme.main(["--check"], tmp_path)
    (folder / "03_absolute_value.ipynb").write_text(json.dumps(executed("nothing")))
    assert "wanted a dictionary" in readme.main([], tmp_path)
    assert file.read_text(encoding="utf-8") == text


def test_appendices_come_last_in_the_reading_order(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ("A1_proofs", "00_start", "21_end", "data"):
        (tmp_path / f"notebooks/{name}.ipynb").write_text("{}", encoding="utf-8")
    found = [*readme.read_notebooks(tmp_path)]
    assert found == [f"notebooks/{name}.ipynb" for name in ("00_start", "21_end", "A1_proofs")]
