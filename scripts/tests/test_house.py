"""The crates use each other as ARCHITECTURE.md says, and no files of a crate use each other in a circle."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import house


def test_the_house_stands_as_drawn() -> None:
    assert house.faults() == []


def test_a_circle_is_found() -> None:
    a, b, c = ("a",), ("b",), ("c",)
    assert house.circles({a: {b}, b: {c}, c: set()}) == []
    assert house.circles({a: {b}, b: {c}, c: {b}}) == [[b, c]]


def test_use_trees_are_read() -> None:
    tree = "super::{a::{self, B}, c as d}"
    assert list(house.paths(tree)) == [["super", "a", "self"], ["super", "a", "B"], ["super", "c"]]
    assert house.resolve(["super", "a"], ("x", "y")) == ["x", "a"]
    assert house.resolve(["serde", "Serialize"], ("x",)) is None
