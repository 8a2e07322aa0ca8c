"""Trains, evaluates and exports the surface-defect classifier."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

# A thread that spins at a barrier steals the core that another one waits for: on a
# machine that is busy otherwise, training is twice as slow. Read when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def show(result: object) -> None:
    print(json.dumps(result, indent=1))


def given(arguments: argparse.Namespace, *names: str) -> dict[str, object]:
    """The options that stand on the command line; for the others, what is configured knows its defaults."""
    return {name: value for name in names if (value := getattr(arguments, name)) is not None}


def train(arguments: argparse.Namespace) -> None:
    """train the folds of the cross-validation and the network of all items; join the results of what is done so far"""
    import torch

    from .data import dataset, folds
    from .learning import cross_validation
    from .learning.network import Architecture
    from .learning.training import Recipe

    torch.set_num_threads(arguments.threads)
    architecture = Architecture(**given(arguments, "height", "width", "blocks"))
    samples = folds.read_samples(arguments.data, arguments.run)
    pixels = dataset.decode(samples, architecture.preprocessing)
    chosen = given(arguments, "steps", "transplant_share")
    for seed in arguments.seeds:
        recipe = Recipe(seed=seed, **chosen)
        # One network of all items is enough to ship; the seeds are what the folds' spread is taken over.
        for fold in arguments.folds if seed == arguments.seeds[0] else set(arguments.folds) - {folds.ALL}:
            cross_validation.train_fold(pixels, fold, architecture, recipe, arguments.run)
    show(cross_validation.summarize(arguments.run))


def export(arguments: argparse.Namespace) -> None:
    """write the ONNX model of all items, or of a fold, and the folders of its reference and of what it never saw"""
    from .data import folds
    from .learning import release

    fold = arguments.fold
    show(release.write(arguments.data, arguments.run, arguments.out, fold))
    # Those of folds lie apart, so that they are not taken for the shipped model's.
    images = arguments.run if fold is folds.ALL else arguments.run / folds.folder_name(fold)
    folds.write_reference(arguments.data, arguments.run, fold, images)


def report(arguments: argparse.Namespace) -> None:
    """write RUN/report: a page with curves, metrics and the worst mistakes, and the model card's tables"""
    from .reporting import report as page

    print(page.write(arguments.run, arguments.data))


def vgg16(arguments: argparse.Namespace) -> None:
    """cross-validate and export the VGG16 baseline"""
    import torch

    from .learning import vgg16 as baseline

    torch.set_num_threads(arguments.threads)
    show(baseline.run(arguments.data, arguments.weights, arguments.normalization, arguments.out))


def samples(arguments: argparse.Namespace) -> None:
    """draw the shipped sample images"""
    from .data import samples as drawn

    drawn.write(arguments.out)


def synthetic(arguments: argparse.Namespace) -> None:
    """draw surfaces, every other one with a crack (training uses seeds 1000 to 1031)"""
    from .data import synthetic as drawn

    drawn.write_set(arguments.out, arguments.count, arguments.first_seed)


def unseen(arguments: argparse.Namespace) -> None:
    """let drift-index judge the parts that the folds' networks never saw, as they are and changed"""
    from .drift import unseen as measurement

    measured = measurement.measure(arguments.data, arguments.run, arguments.drift_index, arguments.other)
    measurement.write(measured, arguments.out)


def fold(text: str) -> int | None:
    """A fold as it is given on the command line."""
    from .data import folds

    return folds.ALL if text == "all" else int(text)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from .data.folds import ALL, FOLDS

    top = argparse.ArgumentParser(prog="python -m sdd_train", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(action) -> argparse.ArgumentParser:
        command = commands.add_parser(action.__name__, help=action.__doc__, description=action.__doc__)
        command.set_defaults(action=action)
        return command

    data = {"type": Path, "required": True, "help": "KolektorSDD, as downloaded or sorted by label"}
    run = {"type": Path, "required": True, "help": "folder of the run, outside the repository"}

    command = add(train)
    command.add_argument("--data", **data)
    command.add_argument("--run", **run)
    command.add_argument("--seeds", type=int, nargs="+", default=[7])
    command.add_argument("--folds", type=fold, nargs="+", default=[*range(FOLDS), ALL], help="0 to 4, and all: nothing held out")
    command.add_argument("--steps", type=int, help="batches of 8 images a fold")
    command.add_argument("--transplants", dest="transplant_share", type=float, help="share of defects that are transplanted ones")
    command.add_argument("--height", type=int)
    command.add_argument("--width", type=int)
    command.add_argument("--blocks", type=int, help="11: up to stride 16; 16: all of EfficientNet-Lite0")
    command.add_argument("--threads", type=int, default=2)

    command = add(export)
    command.add_argument("--data", **data)
    command.add_argument("--run", **run)
    command.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    command.add_argument("--fold", type=fold, default=ALL, help="a fold's network, with its images in RUN/foldN/ (default: all)")

    command = add(report)
    command.add_argument("--run", **run)
    command.add_argument("--data", type=Path, help="KolektorSDD, to show the worst mistakes")

    command = add(vgg16)
    command.add_argument("--data", **data)
    command.add_argument("--weights", type=Path, required=True, help="VGG16 features, .safetensors or .pth")
    command.add_argument("--normalization", choices=["caffe", "torchvision"], default="caffe")
    command.add_argument("--out", type=Path, required=True, help="folder for model and predictions")
    command.add_argument("--threads", type=int, default=2)

    command = add(samples)
    command.add_argument("--out", type=Path, required=True)

    command = add(synthetic)
    command.add_argument("--out", type=Path, required=True)
    command.add_argument("--count", type=int, default=40)
    command.add_argument("--first-seed", type=int, default=5000)

    command = add(unseen)
    command.add_argument("--data", **data)
    command.add_argument("--run", **run)
    command.add_argument("--drift-index", type=Path, required=True, help="the program")
    command.add_argument("--other", type=Path, nargs="+", default=[], help="folders of images of other things")
    command.add_argument("--out", type=Path, required=True, help="folder for tables and heat map")
    return top


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments = parser().parse_args()
    try:
        arguments.action(arguments)
    except (OSError, ValueError) as error:
        sys.exit(f"sdd_train {arguments.action.__name__}: {error}")


if __name__ == "__main__":
    main()
