"""The tables of a run's report and of the model card, from :func:`sdd_train.quality.evaluation.summary`."""

from __future__ import annotations

from collections.abc import Sequence

from ..quality.mistakes import Mistake
from .tables import Table, interval, number

ERRORS = {"ece": "ECE", "ece_equal_mass": "ECE, equal mass", "brier": "Brier", "log_loss": "log loss"}
METHODS = {
    "uncalibrated": "uncalibrated",
    "temperature": "temperature scaling",
    "platt": "Platt scaling (shipped)",
    "platt_own_seed": "Platt scaling, each seed by itself",
    "platt_minus_uncalibrated": "Platt less uncalibrated",
    "platt_minus_temperature": "Platt less temperature",
    "platt_minus_platt_own_seed": "Platt less Platt by seed",
}


def mean_and_sd(metric: dict[str, float]) -> str:
    return f"{metric['mean']:.3f} ± {metric['sd']:.3f}"


def ranking(summaries: dict[str, dict]) -> Table:
    """AUROC and AP of each model, over all folds and seeds."""
    rows = []
    for name, summary in summaries.items():
        for metric, title in (("auroc", "AUROC"), ("ap", "AP")):
            found = summary["mean"][metric]
            seeds = f"{found['lowest']:.3f} to {found['highest']:.3f} (sd {found['sd_of_seeds']:.3f})"
            rows.append(
                [name, title, mean_and_sd(found), seeds if len(summary["seeds"]) > 1 else "one seed",
                 number(summary["pooled"][metric])]
            )
    return Table(
        "Ranking",
        ["model", "metric", "mean ± sd over folds", "means of the seeds", "pooled"],
        rows,
        "Cross-validation by physical item. Mean and standard deviation over the folds, averaged over the seeds; "
        "pooled compares the scores of different networks with each other.",
    )


def folds(summary: dict) -> Table:
    """AUROC and AP of each fold and seed."""
    seeds = summary["seeds"]
    names = sorted({fold for seed in seeds.values() for fold in seed["folds"]}, key=int)
    metrics = (("auroc", "AUROC"), ("ap", "AP"))
    rows = []
    for fold in names:
        of_fold = [seed["folds"].get(fold) for seed in seeds.values()]
        any_seed = next(found for found in of_fold if found)
        cells = [number(found[m] if found else None) for m, _ in metrics for found in of_fold]
        rows.append([fold, str(any_seed["images"]), str(any_seed["defects"]), *cells])
    means = [mean_and_sd(seed["mean"][m]) for m, _ in metrics for seed in seeds.values()]
    rows.append(["mean ± sd", "", "", *means])
    columns = [f"{title}, seed {seed}" for _, title in metrics for seed in seeds]
    return Table("Folds and seeds", ["fold", "images", "defects", *columns], rows)


def calibration(summary: dict) -> Table:
    """Calibration errors before and after, measured out of fold."""
    found = summary["calibration"]
    note = (
        f"Shipped: probability = sigmoid({found['scale']:.4f} · logit {found['offset']:+.4f}), fitted on "
        f"{found['predictions']} out-of-fold predictions. Measured out of fold: each fold is calibrated on the others. "
        "95 % intervals from a bootstrap over physical items (those of the ECE lie high, as noise adds up in it); "
        "lower is better."
    )
    measured = found["out_of_fold"] or {}
    rows = [
        [title, *(interval(measured[key][error], "+" if "_minus_" in key else "") for error in ERRORS)]
        for key, title in METHODS.items()
        if key in measured
    ]
    return Table("Calibration", ["", *ERRORS.values()], rows, note)


def decision(summary: dict) -> Table:
    """What the threshold does, on all predictions and on folds it did not see."""
    found = summary["decision"]

    def row(title: str, counts: dict, threshold: float | None) -> list[str]:
        return [
            title,
            "–" if threshold is None else f"{threshold:g}",
            f"{counts['found']} of {counts['found'] + counts['missed']}",
            number(counts["recall"]),
            f"{counts['false_alarms']} of {counts['sound']}",
            number(counts["precision"]),
        ]

    shipped = found["threshold"]
    rows = [row("all out-of-fold predictions", found, shipped)]
    rows += [row(f"seed {seed}", counts, shipped) for seed, counts in found["seeds"].items()]
    if nested := found["nested"]:
        rows.append(row("nested: threshold of the other folds", nested, None))
        rows += [row(f"nested, fold {fold}", counts, counts["threshold"]) for fold, counts in nested["folds"].items()]
    note = (
        f"Threshold {shipped:g} on the calibrated probability ({found['uncalibrated_threshold']:.4g} on the "
        f"uncalibrated one): at least {found['target_recall']:.0%} of the defects found with fewest false alarms. "
        "Counts are of predictions, one for each image and seed. The nested rows apply calibration and threshold of "
        "the other folds to each fold: what to expect of new parts."
    )
    return Table("Decision", ["predictions", "threshold", "found", "recall", "false alarms", "precision"], rows, note)


def mistaken(title: str, mistakes: Sequence[Mistake]) -> Table:
    """The mistakes as a table."""
    rows = [
        [m.image, m.item, str(m.fold), m.seen, f"{m.wrong} of {len(m.probabilities)}"] for m in mistakes
    ]
    return Table(title, ["image", "item", "fold", "probability", "seeds wrong"], rows)
