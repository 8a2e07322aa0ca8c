"""The commands of docs/tutorial-drift.md on drawn images, with the tiny model of the Rust tests."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from programs import ROOT, drift_index, environment

TINY = ROOT / "crates" / "core" / "tests" / "data" / "tiny.onnx"


def surfaces(folder: Path, count: int, seed: int) -> None:
    """Gray, grainy surfaces."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        light = 110 + 30 * random.uniform() + 0.3 * np.arange(48)
        gray = light[None] + 12 * random.uniform(size=(64, 48))
        Image.fromarray(gray.astype(np.uint8)).save(folder / f"{seed}-{number:03}.png")


def stripes(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        rows = (np.arange(64)[:, None] + np.arange(48)[None] + number) // 4 % 2
        Image.fromarray((rows * 255).astype(np.uint8)).save(folder / f"{number:03}.png")


def test_the_commands_of_the_tutorial(tmp_path: Path) -> None:
    surfaces(tmp_path / "parts" / "non_defect", 60, seed=1)
    surfaces(tmp_path / "held-out", 60, seed=2)
    reference, work = tmp_path / "store", tmp_path / "work"
    drift_index(
        "build", tmp_path / "parts", "--calibrate", tmp_path / "held-out", "--model", TINY, "--out", reference
    )
    make = ROOT / "scripts" / "tutorial" / "images.py"
    folders = [tmp_path / "parts" / "non_defect", tmp_path / "held-out"]
    subprocess.run([sys.executable, make, "--out", work, "--factor", "0.5", "folders", *folders], check=True, timeout=60)
    stripes(work / "other", 40)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = subprocess.run(
        [ROOT / "scripts" / "tutorial" / "run", work],
        cwd=ROOT,
        env=environment() | {
            "MODEL": str(TINY), "REFERENCE": str(reference), "PORT": str(port),
            "BIN": str(ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"),
            "SETTINGS": "--drift-window 50 --capture-always-ood true",
        },
        capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    verdicts = [line.split(":")[0] for line in done.stdout.splitlines() if line.split(":")[0] in
                ("stable", "drifting", "insufficient_data")]
    assert verdicts == ["stable", "drifting", "stable", "drifting"], done.stdout
    history = drift_index("show", work / "reference", "--history")["generations"]
    assert [kept["command"] for kept in history] == ["build", "update", "rollback"]
    assert history[1]["added"] >= 40 and history[1]["calibration"]["images"] < 60
    drift_index("show", f"{work / 'reference'}@1", "--diff", work / "reference")


def test_images_that_the_reference_lacks_are_those_that_nobody_has_seen(tmp_path: Path) -> None:
    surfaces(tmp_path / "drawn", 16, seed=3)
    for folder in ("data/non_defect", "known/non_defect"):
        (tmp_path / folder).mkdir(parents=True)
    for number, path in enumerate(sorted((tmp_path / "drawn").iterdir())):
        Image.open(path).save(tmp_path / "data" / "non_defect" / f"{number:03}.jpg", quality=95)
        if number < 8:
            shutil.copy(tmp_path / "data" / "non_defect" / f"{number:03}.jpg",
                        tmp_path / "known" / "non_defect" / f"item00_{number:03}.jpg")
    drift_index("build", tmp_path / "known", "--model", TINY, "--out", tmp_path / "store")
    make = ROOT / "scripts" / "tutorial" / "images.py"
    command = [sys.executable, make, "--out", tmp_path / "work", "kolektor", tmp_path / "data", tmp_path / "store"]
    subprocess.run(command, check=True, timeout=60)
    listed = {folder: sorted(path.name for path in (tmp_path / "work" / folder).iterdir()) for folder in ("before", "dark")}
    assert listed["before"] == [f"item01_{number:03}.jpg" for number in range(8, 16)]
    assert listed["dark"] == [f"item00_{number:03}.jpg" for number in range(8)]


def test_the_page_shows_the_commands_of_the_script() -> None:
    page = (ROOT / "docs" / "tutorial-drift.md").read_text()
    script = (ROOT / "scripts" / "tutorial" / "run").read_text()
    for command in ("capture list", "capture label", "update", "show", "rollback"):
        assert f"drift-index {command} " in page and f'drift-index" {command} ' in script, command
    steps = re.findall(r'say "(\d)\.', script)
    assert steps == re.findall(r"^### (\d)\.", page, re.MULTILINE) == list("1234567")


def test_numpy_and_pandas_read_what_is_exported(tmp_path: Path) -> None:
    import pandas

    rows = np.random.default_rng(4).normal(size=(20, 7)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "ids.txt").write_text("".join(f'a, "{row}" ä\n' for row in range(20)))
    store = tmp_path / "store"
    drift_index("build", tmp_path / "rows.npy", "--ids", tmp_path / "ids.txt", "--out", store)
    drift_index("export", store, "--out", tmp_path / "out.npy")
    exported, beside = np.load(tmp_path / "out.npy"), pandas.read_csv(tmp_path / "out.csv")
    assert exported.dtype == np.float32
    assert np.allclose(exported, rows, rtol=2e-7, atol=0)
    assert list(beside["id"]) == [f'a, "{row}" ä' for row in range(20)]
    assert np.allclose(beside["norm"], np.linalg.norm(rows.astype(np.float64), axis=1), rtol=1e-12)
    drift_index("export", store, "--out", tmp_path / "table.csv")
    table = pandas.read_csv(tmp_path / "table.csv")
    columns = [f"e{column}" for column in range(7)]
    # Every digit that it takes: the same numbers to the bit.
    assert (table[columns].to_numpy().astype(np.float32) == exported).all()
