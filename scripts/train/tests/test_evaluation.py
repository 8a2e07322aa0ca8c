"""The summary of a cross-validation, and the CSV file that it is computed from."""

import json

import pytest

import made_up
from sdd_train.quality import evaluation
from sdd_train.quality.predictions import Prediction, read_csv, write_csv


def predictions(logits: list[tuple[float, str]], fold: int = 0, seed: int = 7) -> list[Prediction]:
    return [Prediction(f"{i}.jpg", str(i), label, fold, seed, value) for i, (value, label) in enumerate(logits)]


MIXED = [(2.2, "defect"), (1.4, "defect"), (0.8, "non_defect"), (0.4, "defect"), (-1.4, "non_defect")]
PERFECT = [(2.2, "defect"), (-2.2, "non_defect")]


def test_summary_averages_over_folds():
    result = evaluation.summary(predictions(MIXED) + predictions(PERFECT, fold=1), recall=0.95)
    assert result["seeds"]["7"]["folds"]["0"]["auroc"] == pytest.approx(5 / 6)
    assert result["seeds"]["7"]["mean"]["auroc"]["mean"] == pytest.approx((5 / 6 + 1) / 2)
    assert result["mean"]["auroc"]["mean"] == pytest.approx((5 / 6 + 1) / 2)
    assert result["mean"]["auroc"]["sd"] == pytest.approx((1 / 6) / 2**0.5)


def test_summary_tells_seeds_apart():
    one = predictions(MIXED) + predictions(PERFECT, fold=1)
    two = predictions(PERFECT, fold=0, seed=8) + predictions(PERFECT, fold=1, seed=8)
    found = evaluation.summary(one + two, recall=0.95)["mean"]["auroc"]
    assert (found["lowest"], found["highest"]) == (pytest.approx(11 / 12), 1.0)
    assert found["mean"] == pytest.approx(23 / 24)
    assert found["sd_of_seeds"] == pytest.approx((1 / 12) / 2**0.5)
    assert found["sd"] == pytest.approx((1 / 6) / 2**0.5 / 2)


def test_summary_holds_what_the_release_needs_and_is_json():
    result = evaluation.summary(made_up.predictions(), recall=0.95)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["calibration"]["scale"] > 0
    decision = result["decision"]
    assert 0 < decision["threshold"] < 1 and decision["recall"] >= 0.95


def test_calibration_lowers_the_log_loss_of_overconfident_logits():
    drawn = [p for p in made_up.predictions() if "planted" not in p.image]
    sure = [Prediction(p.image, p.item, p.label, p.fold, p.seed, 10 * p.logit) for p in drawn]
    found = evaluation.summary(sure, recall=0.95)["calibration"]["out_of_fold"]
    gain = found["platt"]["log_loss"]["value"] - found["uncalibrated"]["log_loss"]["value"]
    assert gain < -0.01
    assert found["platt_minus_uncalibrated"]["log_loss"]["value"] == pytest.approx(gain)
    assert "platt_own_seed" in found


def test_one_fold_is_summarized_without_out_of_fold_numbers():
    result = evaluation.summary(predictions(MIXED, fold=3), recall=0.95)
    assert result["calibration"]["out_of_fold"] is None
    assert result["decision"]["nested"] is None


def test_a_seed_that_is_not_through_yet_does_not_stop_the_summary():
    started = [p for p in made_up.predictions() if p.seed == 7 or p.fold == 0]
    found = evaluation.summary(started, recall=0.95)
    assert "platt_own_seed" not in found["calibration"]["out_of_fold"]
    assert set(found["seeds"]["8"]["folds"]) == {"0"}


def test_predictions_survive_their_csv(tmp_path):
    written = predictions([(0.1 + 0.2, "defect"), (-17.25, "non_defect")])
    write_csv(tmp_path / "p.csv", written)
    assert read_csv(tmp_path / "p.csv") == written
    header, first = (tmp_path / "p.csv").read_text().splitlines()[:2]
    assert header == "image,item,label,fold,seed,logit,probability"
    assert first.endswith(",0.5744425")


def test_other_columns_are_refused(tmp_path):
    (tmp_path / "p.csv").write_text("image,item,label,fold,probability\na.jpg,00,defect,0,0.5\n")
    with pytest.raises(ValueError, match="seed,logit"):
        read_csv(tmp_path / "p.csv")


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    path = tmp_path / "p.csv"
    write_csv(path, predictions(MIXED))
    assert list(tmp_path.iterdir()) == [path]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="not complete"):
        read_csv(path)
