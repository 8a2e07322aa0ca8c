"""A file is written whole or not at all, and never over its source."""

import pytest

from make_tiny_model import build
from sdd_train.onnx_files import saving


def test_the_source_is_not_overwritten(tmp_path):
    source = tmp_path / "model.onnx"
    saving.save(build("binary"), source)
    with pytest.raises(ValueError, match="--out"):
        saving.refuse_own_source(source, tmp_path / "." / "model.onnx")
    link = tmp_path / "link.onnx"
    link.symlink_to(source)
    with pytest.raises(ValueError, match="--out"):
        saving.refuse_own_source(source, link)
    saving.refuse_own_source(source, tmp_path / "other.onnx")


def test_what_does_not_pass_the_check_leaves_the_old_file(tmp_path):
    out = tmp_path / "model.onnx"
    out.write_text("old")

    def check(file):
        assert file.name == out.name and file.stat().st_size > 0
        raise ValueError("no good")

    with pytest.raises(ValueError, match="no good"):
        saving.save(build("binary"), out, check)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]
