from pathlib import Path

import numpy as np
import pytest

from compare_scores import stored
from make_golden_mahalanobis import distances

SHIPPED = Path(__file__).parents[3] / "models" / "reference"


def test_distances_by_hand():
    # Within the classes the variance is 1, of all four it is 26; in one dimension shrinkage changes nothing.
    rows, labels = np.array([[0.0], [2.0], [10.0], [12.0]]), np.array(["a", "a", "b", "b"])
    _, nearest, background = distances(rows, labels, np.array([[0.0], [6.0]]))
    assert nearest == pytest.approx([1.0, 25.0])
    assert background == pytest.approx([36 / 26, 0.0])


def test_a_store_is_read_as_it_was_given():
    rows, labels = stored(SHIPPED)
    assert rows.shape == (343, 672) and sorted(set(labels)) == ["defect", "non_defect"]
    # The norms are the first of records-*.jsonl.
    assert np.linalg.norm(rows[0]) == pytest.approx(13.654232214164963, rel=1e-6)
