"""The real programs, as `make build` left them, and the files that ship with them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import PIL

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "sdd-efficientnet-lite0.onnx"
REFERENCE = ROOT / "models" / "reference"
SAMPLES = sorted((ROOT / "models" / "samples").glob("*.jpg"))

# From version 13 on, Pillow decodes a JPEG to the same bits as we do; older ones bring an older libjpeg-turbo, which
# rounds differently.
_SAME_DECODER = int(PIL.__version__.split(".")[0]) >= 13
PROBABILITY_TOLERANCE = 1e-4 if _SAME_DECODER else 5e-3
DISTANCE_TOLERANCE = 1e-4 if _SAME_DECODER else 3e-2

_BIN = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
# None of the caller's own settings, and the runtime library of .cargo/config.toml.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("SDD_", "RUST_LOG"))} | {
    "SDD_MONITOR": "none",
    "SDD_ONNXRUNTIME": os.environ.get(
        "SDD_ONNXRUNTIME", str(ROOT / ".native" / "onnxruntime" / "libonnxruntime.so")
    )
}
_START_SECONDS = 60


def environment() -> dict[str, str]:
    """What the programs are run with."""
    return dict(_ENVIRONMENT)


def drift_index(*arguments: object, codes: tuple[int, ...] = (0,)) -> dict:
    """Runs `drift-index … --json`; its answer. Any exit code but ``codes`` fails the test."""
    command = [str(_BIN / "drift-index"), *map(str, arguments), "--json"]
    done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode in codes, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


class Server:
    """A running sdd-server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def predict(self, image: Path) -> dict:
        """POSTs an image the way a browser's form does; the answer."""
        boundary = uuid.uuid4().hex
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{image.name}"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        ).encode() + image.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        request = urllib.request.Request(
            f"{self.url}/predict",
            data=body,
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)


def train_script(name: str, *arguments: object) -> str:
    """Runs a script of `scripts/train`; what it prints. Any exit code but 0 fails the test."""
    command = [sys.executable, "-B", f"{name}.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT / "scripts" / "train", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _server_command(arguments: tuple[object, ...]) -> list[str]:
    return [str(_BIN / "sdd-server"), "--port", "0", "--log-format", "json", *map(str, arguments)]


def server_refusal(*arguments: object) -> str:
    """What `sdd-server` says when it does not start with these arguments."""
    done = subprocess.run(
        _server_command(arguments), cwd=ROOT, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=_START_SECONDS,
    )
    assert done.returncode != 0, done.stderr
    return done.stdout + done.stderr


@contextmanager
def served(*arguments: object) -> Iterator[Server]:
    """Runs `sdd-server`, without arguments as shipped, on a port of the system's choice; stops it with SIGTERM."""
    command = _server_command(arguments)
    process = subprocess.Popen(
        command, cwd=ROOT, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    log: list[str] = []
    reader = threading.Thread(target=lambda: log.extend(process.stderr), daemon=True)
    reader.start()
    try:
        yield Server(_address(process, log))
    finally:
        process.terminate()
        try:
            code = process.wait(timeout=60)
        finally:
            process.kill()
    assert code == 0, f"sdd-server ended with {code}\n{''.join(log)}"


def _address(process: subprocess.Popen, log: list[str]) -> str:
    """Waits until the log names the address."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", "".join(list(log)))
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"sdd-server named no address in {_START_SECONDS} s\n{''.join(log)}")
