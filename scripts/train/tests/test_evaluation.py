"""The decision threshold and the metrics on predictions small enough to check by hand."""

import pytest

from sdd_train import evaluation
from sdd_train.evaluation import Prediction


def predictions(scores: list[tuple[float, str]], fold: int = 0) -> list[Prediction]:
    return [Prediction(f"{i}.jpg", str(i), label, fold, score) for i, (score, label) in enumerate(scores)]


SCORES = predictions(
    [(0.9, "defect"), (0.8, "defect"), (0.7, "non_defect"), (0.6, "defect"), (0.2, "non_defect")]
)


@pytest.mark.parametrize(("recall", "threshold"), [(0.95, 0.6), (0.66, 0.8), (0.33, 0.9)])
def test_threshold_is_the_largest_that_finds_enough(recall, threshold):
    assert evaluation.threshold_for_recall(SCORES, recall) == threshold
    assert evaluation.at_threshold(SCORES, threshold)["recall"] >= recall


def test_counts_at_the_threshold():
    found = evaluation.at_threshold(SCORES, 0.6)
    assert found["precision"] == 0.75 and found["recall"] == 1.0
    assert (found["found"], found["missed"], found["false_alarms"]) == (3, 0, 1)


def test_summary_averages_over_folds():
    perfect = predictions([(0.9, "defect"), (0.1, "non_defect")], fold=1)
    result = evaluation.summary(SCORES + perfect, recall=0.95)
    assert result["folds"]["0"]["auroc"] == pytest.approx(5 / 6)
    assert result["mean"]["auroc"]["mean"] == pytest.approx((5 / 6 + 1) / 2)


def test_predictions_survive_their_csv(tmp_path):
    evaluation.write_csv(tmp_path / "p.csv", SCORES)
    assert evaluation.read_csv(tmp_path / "p.csv") == SCORES
