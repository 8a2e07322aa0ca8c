"""The crates of the workspace and the files of each: who uses whom, as Cargo and the `use` lines say.

    python scripts/house.py              the crates as a picture, for ARCHITECTURE.md
    python scripts/house.py --check      an arrow that is not allowed, a circle among files, or an old picture: an error
    python scripts/house.py --write      writes the picture into ARCHITECTURE.md
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- crates:begin -->", "<!-- crates:end -->"

ALLOWED = {
    "core": set(),
    "index": set(),
    "stats": set(),
    "drift": {"index", "stats"},
    "monitor": {"drift", "stats"},
    "report": {"core", "drift", "index", "monitor", "stats"},
    "serving": {"core", "drift", "index", "monitor"},
    "server": {"core", "drift", "index", "monitor", "report", "serving"},
    "drift-index": {"core", "drift", "index", "monitor", "report"},
}
"""What each crate may use."""

FREE = {"fuzz"}
"""What may use everything, as the benches may, which are no crate here."""

FORBIDDEN = {
    "core": {"actix-web", "clap", "rusqlite", "rustls", "tokio", "tokio-postgres", "faiss", "askama"},
    "index": {"actix-web", "clap", "rusqlite", "rustls", "tokio", "tokio-postgres", "image", "ort", "askama"},
    "stats": {"actix-web", "clap", "rusqlite", "rustls", "tokio", "image", "ort", "faiss", "askama"},
    "drift": {"actix-web", "clap", "rusqlite", "rustls", "tokio", "tokio-postgres", "image", "ort", "faiss", "askama"},
    "monitor": {"actix-web", "clap", "image", "ort", "faiss", "askama"},
    "report": {"actix-web", "clap", "rusqlite", "rustls", "tokio", "tokio-postgres", "image", "ort", "faiss"},
    "serving": {"actix-web", "actix-multipart", "clap", "rusqlite", "image", "ort", "faiss", "utoipa", "askama"},
}
"""Dependencies that a crate does without, so that it can be used without them."""


USE = r"""^\s*(pub(?:\([a-z:]+\))? )?use ([^;"]+);"""
"""A `use` line: whether the name is handed on, and the tree. Not in a text, which would have quotation marks."""


def crates() -> dict[str, dict]:
    """What Cargo knows of each crate, by the name of its folder."""
    asked = ["cargo", "metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"]
    packages = json.loads(subprocess.run(asked, cwd=ROOT, check=True, capture_output=True).stdout)["packages"]
    folders = {Path(package["manifest_path"]).parent: package for package in packages}
    return {path.name: folders[path] for path in sorted(folders) if path.parent.name == "crates"}


def dependencies(package: dict, also_optional: bool = True) -> set[str]:
    """The names of what a crate is built with, tests aside."""
    return {
        given["name"]
        for given in package["dependencies"]
        if given["kind"] is None and (also_optional or not given["optional"])
    }


def arrows(packages: dict[str, dict]) -> dict[str, set[str]]:
    """Which crates each one uses."""
    folders = {package["name"]: folder for folder, package in packages.items()}
    return {
        folder: {folders[name] for name in dependencies(package) if name in folders}
        for folder, package in packages.items()
    }


def picture(uses: dict[str, set[str]]) -> str:
    """A line a crate, those that use others above those that they use."""

    def floor(crate: str) -> int:
        return 1 + max((floor(other) for other in uses[crate]), default=0)

    lines = []
    for crate in sorted((crate for crate in uses if crate in ALLOWED), key=lambda crate: (-floor(crate), crate)):
        used = ", ".join(sorted(uses[crate], key=lambda other: (-floor(other), other)))
        lines.append(f"{crate:<12} ──► {used}" if used else crate)
    return "```\n" + "\n".join(lines) + "\n```"


def modules(crate: Path) -> dict[tuple[str, ...], Path]:
    """The file of each module: `("monitor", "state")`; `()` is the crate's root."""
    found = {}
    for path in sorted((crate / "src").rglob("*.rs")):
        parts = path.relative_to(crate / "src").with_suffix("").parts
        is_beside_a_library = parts == ("main",) and (crate / "src" / "lib.rs").exists()
        if parts[-1] in ("mod", "lib", "main") and not is_beside_a_library:
            parts = parts[:-1]
        if parts and parts[-1] in ("tests", "laws"):
            continue
        found[parts] = path
    return found


def code_of(text: str) -> str:
    """The code alone: no comments, and nothing that is of tests only.

    What a module within the file takes from above itself is in the file.
    """
    text = re.sub(r"(?m)^\s*//.*", "", text)
    # An item that stands alone, or a block up to the brace in the column of its attribute.
    text = re.sub(r"(?m)^#\[cfg\((?:all\()?test[^\n]*\n(?:#[^\n]*\n)*(?:[^\n{]*;|[^\n]*\{\n(?s:.*?)^\})", "", text)
    within = re.compile(r"^(?:pub(?:\([a-z:]+\))? )?mod \w+ \{.*?^\}", re.MULTILINE | re.DOTALL)
    return within.sub(lambda found: found[0].replace("super::", "self::"), text)


def paths(tree: str) -> Iterator[list[str]]:
    """Each path of a `use` tree: `a::{b, c::d}` are `a::b` and `a::c::d`."""
    head, brace, rest = tree.partition("{")
    start = [part for part in head.strip().split("::") if part]
    if not brace:
        yield [part.split(" as ")[0].strip() for part in start]
        return
    depth, item = 0, ""
    for letter in rest[: rest.rindex("}")] + ",":
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            if item.strip():
                for path in paths(item):
                    yield start + path
            item = ""
        else:
            item += letter


def resolve(path: list[str], module: tuple[str, ...]) -> list[str] | None:
    """A path from the crate's root; `None` for one of another crate."""
    if path[0] == "crate":
        return path[1:]
    here = list(module)
    if path[0] == "self":
        return here + path[1:]
    if path[0] != "super":
        return None
    while path and path[0] == "super":
        here, path = here[:-1], path[1:]
    return here + path


def imports(crate: Path) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Which modules of its crate each module takes names from; a name that is handed on counts where it comes from."""
    files = modules(crate)
    codes = {module: code_of(path.read_text()) for module, path in files.items()}
    uses: dict[tuple[str, ...], list[list[str]]] = {}
    handed_on: dict[tuple[str, ...], list[str]] = {}
    for module, code in codes.items():
        uses[module] = []
        without_uses = re.sub(USE, "", code, flags=re.MULTILINE)
        for public, tree in re.findall(USE, code, re.MULTILINE):
            for path in paths(" ".join(tree.split())):
                first = path[0]
                own = (*module, first) in files
                target = [*module, *path] if own else resolve(path, module)
                if target is None:
                    continue
                if public:
                    handed_on[(*module, path[-1])] = target
                if not public or re.search(rf"\b{path[-1]}\b", without_uses):
                    uses[module].append(target)
        for path in re.findall(r"(?<![\w:])(\w+(?:::\w+)+)", without_uses):
            parts = path.split("::")
            own = (*module, parts[0]) in files
            if target := [*module, *parts] if own else resolve(parts, module):
                uses[module].append(target)

    def file_of(target: list[str]) -> tuple[str, ...] | None:
        for _ in range(8):
            for length in range(len(target), -1, -1):
                # A module may hand on a function of its own name.
                if tuple(target[:length]) in files:
                    return tuple(target[:length])
                if tuple(target[:length]) in handed_on:
                    target = handed_on[tuple(target[:length])] + target[length:]
                    break
        return None

    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for module, targets in uses.items():
        found[module] = {file for target in targets if (file := file_of(target)) is not None} - {module}
    return found


def circles(graph: dict[tuple[str, ...], set[tuple[str, ...]]]) -> list[list[tuple[str, ...]]]:
    """Modules that use each other in a circle: Tarjan's strongly connected components of more than one."""
    number: dict = {}
    lowest: dict = {}
    stack: list = []
    found: list = []

    def visit(module: tuple[str, ...]) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for other in graph.get(module, ()):
            if other not in number:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == number[module]:
            component = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(component) > 1:
                found.append(sorted(component))

    for module in graph:
        if module not in number:
            visit(module)
    return found


def faults() -> list[str]:
    """What does not hold, in words."""
    packages = crates()
    uses = arrows(packages)
    found = []
    found += [f"{crate} is in no list of what it may use" for crate in sorted(set(packages) - set(ALLOWED) - FREE)]
    for crate, allowed in ALLOWED.items():
        found += [f"{crate} may not use {other}" for other in sorted(uses.get(crate, set()) - allowed)]
    for crate, forbidden in FORBIDDEN.items():
        built_with = dependencies(packages[crate], also_optional=False) if crate in packages else set()
        found += [f"{crate} may not depend on {other}" for other in sorted(built_with & forbidden)]
    for crate in packages:
        for circle in circles(imports(ROOT / "crates" / crate)):
            names = ", ".join("::".join(module) or "the root" for module in circle)
            found.append(f"{crate} has a circle: {names}")
    if picture(uses) not in ARCHITECTURE.read_text():
        found.append("ARCHITECTURE.md has another picture of the crates: python scripts/house.py --write")
    return found


def main() -> int:
    drawn = picture(arrows(crates()))
    match sys.argv[1:]:
        case ["--check"]:
            for fault in (found := faults()):
                print(fault, file=sys.stderr)
            return 1 if found else 0
        case ["--write"]:
            text = ARCHITECTURE.read_text()
            begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
            ARCHITECTURE.write_text(f"{text[:begin]}\n{drawn}\n{text[end:]}")
        case []:
            print(drawn)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
