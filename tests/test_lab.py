"""A notebook in JupyterLab, as a reader sees it: opened in a headless browser, its pictures found on the page."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


def pictures(notebook: dict) -> list[str]:
    outputs = [out for cell in notebook["cells"] for out in cell.get("outputs", [])]
    return ["".join(out["data"]["image/png"].split()) for out in outputs if "image/png" in out.get("data", {})]


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on an empty folder: the folder, and its address."""
    (tmp_path / "notebooks").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"ServerApp.root_dir": tmp_path / "notebooks", "IdentityProvider.token": "t", "ServerApp.port": port}
    options |= {"ServerApp.ip": "127.0.0.1", "ServerApp.allow_root": True, "ServerApp.open_browser": False}
    command = [sys.executable, "-m", "jupyter", "lab", *(f"--{key}={value}" for key, value in options.items())]
    home = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, env=home) as server:
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=t", timeout=5).close()
                    break
                except OSError:
                    assert server.poll() is None, (tmp_path / "log").read_text()
                    time.sleep(0.2)
            yield tmp_path / "notebooks", f"http://127.0.0.1:{port}/lab/tree"
        finally:
            server.terminate()


def page_of(name: str, address: str, profile: Path) -> str:
    """Return the page as it stands once everything that was loaded has been drawn."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--window-size=1200,6000"]
    options += ["--virtual-time-budget=60000", "--dump-dom", f"{address}/{name}?token=t&reset"]
    return subprocess.run([BROWSER, *options], capture_output=True, text=True, timeout=300, check=True).stdout


def test_notebook_shows_its_pictures_in_the_lab(lab, tmp_path):
    folder, address = lab
    notebook = json.loads((ROOT / "notebooks/06_minimum.ipynb").read_text(encoding="utf-8"))
    # The cells up to the second picture fit one tall window; the Lab draws what is in view.
    last = [n for n, cell in enumerate(notebook["cells"]) if pictures({"cells": [cell]})][1]
    notebook["cells"] = notebook["cells"][: last + 1]
    wanted = pictures(notebook)
    (folder / "whole.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    notebook["cells"][last]["outputs"] = []
    (folder / "bare.ipynb").write_text(json.dumps(notebook), encoding="utf-8")

    assert len(wanted) == 2
    whole, bare = (page_of(f"{name}.ipynb", address, tmp_path / name) for name in ("whole", "bare"))
    assert [picture in whole for picture in wanted] == [True, True]
    assert [picture in bare for picture in wanted] == [True, False], "a picture that is missing must be missed"
