"""What every test run shares: unit tests, doctests and `pytest --nbval notebooks`, from whichever folder."""

import os
import tempfile

from nbval.plugin import IPyNbCell

# Set before torch is imported, and inherited by the kernels: tiny tensors train fastest on one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A test saves its figures here, never in figures/. Workers take the folder of the process that started them.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _figures = tempfile.TemporaryDirectory(prefix="mathcircuits-figures-")
    os.environ["MATHCIRCUITS_FIGURES"] = _figures.name


def pytest_configure(config):
    # Warnings are errors in the unit tests. Under nbval, a warning in a notebook appears on its stderr, which
    # is compared; what Jupyter's own machinery warns about is no failure of a notebook.
    if config.option.nbval:
        config.addinivalue_line("filterwarnings", "default")


def pytest_itemcollected(item):
    # A progress bar that came to its end leaves blanks on stderr, in a notebook that was run and saved in JupyterLab.
    if isinstance(item, IPyNbCell):
        outputs = item.cell.get("outputs", [])
        outputs[:] = [out for out in outputs if out.get("name") != "stderr" or out.text.strip()]
