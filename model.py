#!/usr/bin/env python3
"""The command line: data, train, calibrate, evaluate, predict, explain, segment, cases.

`python model.py COMMAND --help` tells more.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from utils.cases.store import CaseStore, CaseStoreError, default_path, export_csv
from utils.classes import CLASSES
from utils.commands.arguments import BASELINES, TEACHERS, CommandError, parser, without_paths
from utils.commands.reading_commands import check_layer, explain, predict, segment
from utils.commands.runs import check_forerunner, check_run
from utils.datasets.masks import with_outlines
from utils.datasets.protocols import protocol_named, split_samples
from utils.datasets.samples import DatasetError, load_samples
from utils.evaluation.outline_figures import in_words
from utils.networks.cards import OUTLINERS, OUTLINES, NetworkUnavailable, load_card
from utils.scans.errors import UnreadableScan

RUNS = Path("runs")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code. What a user can mend is one sentence on stderr."""
    args = parser(__doc__, COMMANDS).parse_args(arguments)
    if getattr(args, "protocol", None):
        args.protocol = protocol_named(args.protocol, args.left_out).name
    args.command_line = "python model.py " + shlex.join(without_paths(arguments or sys.argv[1:]))
    try:
        return args.run(args) or 0
    except (DatasetError, NetworkUnavailable, UnreadableScan, CaseStoreError, CommandError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a file that is missing, may not be read or cannot be written
        print(f"error: {error.filename or 'output'}: {error.strerror or error}.", file=sys.stderr)
        return 2


def data(args: argparse.Namespace) -> int:
    from utils.datasets.downloads import download_nickparvar
    from utils.evaluation.audit import audit, format_audit

    root = download_nickparvar() if args.download else args.data
    if root is None:
        raise CommandError("Say which data: --data DIR, or --download nickparvar.")
    if args.download:
        print(f"downloaded to {root}")
    print(format_audit(audit(load_samples(root, args.sets))))
    return 0


def train(args: argparse.Namespace) -> int:
    from utils.reading.reader import Reader
    from utils.training.loop import TrainingPlan
    from utils.training.loop import train as fit
    from utils.training.recipes import RECIPES
    from utils.training.release import release

    if (args.model is None) == (args.recipe is None):
        raise CommandError("Say what to train: --model NAME, or --recipe NAME.")
    name = args.recipe or args.model
    try:
        recipe = RECIPES[name].changed(args.epochs, args.batch_size)
    except KeyError:
        raise CommandError(f"There is no recipe {name}; choose one of {', '.join(RECIPES)}.") from None
    except ValueError as error:
        raise CommandError(str(error)) from None
    args.model, args.protocol = recipe.network, recipe.protocol or args.protocol
    if args.teacher and args.model in OUTLINERS:
        raise CommandError("A teacher answers with classes; outlines are learned from masks alone.")
    samples = _samples(args)
    classes = ("tumor",) if args.model in OUTLINERS else protocol_named(args.protocol).classes_of(samples)
    run_folder = RUNS / args.protocol / name
    base_weights = args.base_weights or (None if args.model == "cnn" else "imagenet")
    if recipe.averaged and not str(base_weights).endswith(".keras"):
        raise CommandError(f"{name} goes on from a network: --base-weights FILE.keras says which.")
    teachers = [Reader.load(file) for file in args.teacher]
    for teacher in teachers:
        check_forerunner("teacher", teacher.card, args.protocol)
        if teacher.classes != classes:
            raise CommandError(
                f"The teacher answers with {len(teacher.classes)} classes, the network with {len(classes)} others."
            )
    if str(base_weights).endswith(".keras"):
        check_forerunner("network to start from", load_card(Path(str(base_weights))), args.protocol)
    check_run(run_folder, args)
    plan = TrainingPlan(recipe, args.seed, base_weights, classes)
    trained = fit(plan, samples, run_folder, [teacher.network for teacher in teachers])
    folder = args.output or (
        RUNS / "teachers" / args.protocol
        if args.model in TEACHERS and recipe.protocol is None
        else protocol_named(args.protocol).networks_folder()
    )
    card = release(
        trained,
        samples,
        folder,
        args.protocol,
        args.seed,
        recipe,
        args.command_line,
        base_weights,
        [teacher.card for teacher in teachers],
        classes,
    )
    shutil.rmtree(run_folder)
    print(f"{card.weights}: {_fitted(card.facts)}")
    return 0


def calibrate(args: argparse.Namespace) -> int:
    from utils.training.release import calibrate as fit
    from utils.training.release import calibrate_together

    if args.model is None:
        args.seed = 0
        record = calibrate_together(_samples(args), args.command_line)
        told = record["validation"]
        print(
            f"{' and '.join(record['weights_sha256'])} together: an answer from {record['referral_threshold']} on; "
            f"validation {json.dumps(told)}"
        )
        return 0
    weights = protocol_named(args.protocol).networks_folder() / f"{args.model}.keras"
    facts = load_card(weights).facts
    args.seed = facts["seed"]
    if not protocol_named(args.protocol).left_out:
        args.sets = args.sets or tuple(facts["sources"])
    card = fit(weights, _samples(args))
    print(f"{card.weights}: {_fitted(card.facts)}")
    return 0


def _fitted(facts: dict) -> str:
    """What was fitted on the validation part, and the figures there."""
    validation = facts["validation"]
    if facts["task"] == OUTLINES:
        drawn = f"drawn from probability {facts['threshold']} on where a part reaches {facts['peak']}"
        return f"{drawn}; validation: {in_words(validation)}"
    told = (
        f"temperature {facts['temperature']}, referral threshold {facts['referral_threshold']}; "
        f"validation {json.dumps(validation)}"
    )
    gate = facts.get("novelty")
    if gate is None:
        return told
    return (
        f"{told}\n"
        f"gate: unusual above {gate['unusual']:.3f}, refused above {gate['refused']:.3f}: {gate['validation']}"
    )


def evaluate(args: argparse.Namespace) -> int:
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)  # before the test part is opened, not after
    if args.layer and not args.explanations:
        raise CommandError("--layer is for evaluate --explanations.")
    if args.explanations:
        file = _evaluate_explanations(args)
    elif args.part != "test" and args.model in (*OUTLINERS, *BASELINES):
        raise CommandError("--part is for networks that name a class.")
    elif args.robustness:
        file = _evaluate_robustness(args)
    elif args.model in OUTLINERS:
        file = _evaluate_outlines(args)
    else:
        file = _evaluate_classes(args)
    if args.json:
        args.json.write_text(file.read_text())
    return 0


def _evaluate_classes(args: argparse.Namespace) -> Path:
    from utils.evaluation.measurement import measure, measure_baseline, store

    results = []
    if args.model in BASELINES:
        results.append(measure_baseline(args.model, _samples(args), args.protocol, args.command_line))
    else:
        reader, samples, rows = _network_and_samples(args)
        results.append(measure(reader, args.protocol, rows, args.command_line, args.part))
        if args.part == "test" and reader.classes == CLASSES and (samples["part"] != "test").any():
            results.append(measure_baseline("1-nn", samples, args.protocol, args.command_line))
    what = args.part if args.part != "test" else ""
    files = [store(figures, predictions, args.output, what) for figures, predictions in results]
    for (row, _), file in zip(results, files, strict=True):
        low, high = row["accuracy_interval"] or (float("nan"), float("nan"))
        print(
            f"{row['model']:6} {args.protocol}: accuracy {row['accuracy']:.4f} ({low:.4f}-{high:.4f}), "
            f"macro F1 {row['macro_f1']:.4f}, n {row['n']}; written to {file}"
        )
    return files[0]


def _evaluate_outlines(args: argparse.Namespace) -> Path:
    from utils.evaluation.measurement import measure_outlines, store

    segmenter, _, test = _network_and_samples(args)
    result, table = measure_outlines(segmenter, args.protocol, test, args.command_line)
    file = store(result, table, args.output)
    print(f"{args.model} {args.protocol}: {in_words(result)}; written to {file}")
    return file


def _evaluate_robustness(args: argparse.Namespace) -> Path:
    from utils.evaluation.robustness import measure_robustness

    if args.model in (*BASELINES, *OUTLINERS):
        raise CommandError("--robustness is measured for networks that name a class.")
    reader, _, rows = _network_and_samples(args)
    result = measure_robustness(reader, args.protocol, args.part, rows, args.command_line)
    args.output.mkdir(parents=True, exist_ok=True)
    what = "" if args.part == "test" else f".{args.part}"
    file = args.output / f"{args.model}.robustness{what}.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(
        f"{args.model}: accuracy {result['accuracy']:.4f} on {result['n']} scans as they are; written to {file}"
    )
    for name, change in result["changes"].items():
        levels = ", ".join(
            f"{level:g}: {accuracy:.4f}"
            for level, accuracy in zip(change["levels"], change["accuracy"], strict=True)
        )
        print(f"{name} ({change['unit']}) {levels}")
    return file


def _evaluate_explanations(args: argparse.Namespace) -> Path:
    from utils.evaluation.evidence_measurement import measure_evidence, summary
    from utils.evaluation.measurement import store

    if args.model in BASELINES:
        raise CommandError("--explanations are measured for networks.")
    reader, _, rows = _network_and_samples(args)
    check_layer(reader, args.layer)
    result, table = measure_evidence(reader, args.protocol, args.part, rows, args.command_line, args.layer)
    what = "--".join(
        filter(None, ("explanations", args.part if args.part != "test" else "", args.layer or ""))
    )
    file = store(result, table, args.output, what)
    print(
        f"{args.model} {args.protocol}, {args.part}: maps at {result['layer']} against the masks of {result['n']} "
        f"tumour scans, and on {result['healthy']} without tumour; written to {file}\n{summary(result)}"
    )
    return file


def _network_and_samples(args: argparse.Namespace):
    """The network asked for, the samples that the protocol split, and the rows of `args.part` among them.

    It never saw the test rows.
    """
    from utils.evaluation.measurement import check_unseen
    from utils.reading.reader import Reader
    from utils.reading.segmenter import Segmenter

    kind = Segmenter if args.model in OUTLINERS else Reader
    protocol = protocol_named(args.protocol)
    reader = kind.load(args.weights or protocol.networks_folder() / f"{args.model}.keras")
    facts = reader.card.facts
    args.seed = facts["seed"]
    if protocol.takes_own_images and facts["protocol"] != protocol.name:
        samples = load_samples(args.data, args.sets).assign(part="test")  # all of it is new to these weights
        samples["target"] = samples["true_label"]
        samples = with_outlines(samples) if args.model in OUTLINERS else samples
    else:
        if not protocol.left_out:
            args.sets = args.sets or tuple(facts["sources"])
        samples = _samples(args)
    test = samples[samples["part"] == "test"].reset_index(drop=True)
    check_unseen(reader.card, args.protocol, test)
    return reader, samples, samples[samples["part"] == args.part].reset_index(drop=True)


def cases(args: argparse.Namespace) -> int:
    from utils.cases.class_folders import write_class_folders

    if (args.originals is None) != (args.output is None) or not (args.export or args.originals):
        raise CommandError("Say what to make: --export FILE.csv, or --originals DIR with --output DIR.")
    kept = CaseStore.open(default_path()).cases()
    if args.export:
        args.export.parent.mkdir(parents=True, exist_ok=True)
        args.export.write_text(export_csv(kept), encoding="utf-8", newline="")
        print(f"{len(kept)} cases written to {args.export}")
    if not args.originals:
        return 0
    written = write_class_folders(kept, args.originals, args.output)
    for name in written.unlabelled:
        print(f"left out: {name}: The review does not say which class it is.", file=sys.stderr)
    for name in written.missing:
        print(f"left out: {name}: Its original is not in {args.originals} (unpack ZIPs).", file=sys.stderr)
    for problem in written.unusable:
        print(f"left out: {problem}", file=sys.stderr)
    counts = ", ".join(f"{name} {count}" for name, count in written.counts.items())
    print(f"written to {args.output}: {counts}")
    return 0 if any(written.counts.values()) else 1


def _samples(args: argparse.Namespace):
    """The rows of the protocol; what cannot be read is named on stderr."""
    sets = args.sets or protocol_named(args.protocol).sets
    samples = split_samples(load_samples(args.data, sets), args.protocol, args.seed, args.patients)
    for problem in samples.attrs.get("unreadable", ()):
        print(f"left out: {problem}", file=sys.stderr)
    return with_outlines(samples) if args.model in OUTLINERS else samples


COMMANDS = {run.__name__: run for run in (data, train, calibrate, evaluate, predict, explain, segment, cases)}

if __name__ == "__main__":
    sys.exit(main())
