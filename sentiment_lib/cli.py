"""The command line: ``python -m sentiment_lib`` with ``run``, ``train``, ``sweep``, ``predict`` or ``report``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .course.series import kept_parameters, lessons, lessons_done, only_this, run_series
from .data.tables import existing_path
from .errors import SettingsError, WorkbookError
from .run.files import replacing
from .run.paths import short_path
from .run.processes import first_goes_first, is_first, join_processes, process_count
from .settings import PRESETS, Settings, describe_settings, make_settings

if TYPE_CHECKING:
    from .model.inference import Classifier


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when it worked, 1 when it failed, 2 when it was called wrongly."""
    commands = {"run": _run, "train": _train, "sweep": _sweep, "predict": _predict, "report": _report}
    parser = make_parser(commands)
    options = parser.parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except WorkbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1


def settings_from(options: argparse.Namespace) -> Settings:
    """The settings that the options of a command ask for; paths become absolute, so that lessons find them.

    A run that goes on (``--resume``, ``--from``) keeps the settings with which it was made.
    """
    overrides: dict[str, Any] = {}
    for pair in (pair for group in options.set for pair in group):
        key, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set takes KEY=VALUE; got {pair!r}.")
        overrides[key.strip()] = value.strip()
    for key in ("source", "model"):
        if getattr(options, key) is not None:
            overrides[key] = getattr(options, key)
        if key in overrides and overrides[key] not in ("snippets", "imdb", "bundled"):
            path = existing_path(overrides[key])
            if path is not None:
                overrides[key] = str(path.resolve())
            elif key == "source":
                raise SettingsError(
                    f"There is no source {overrides[key][:100]!r}: give snippets, imdb or an existing file or folder "
                    f"(looked in {Path.cwd()})."
                )
    for key in ("preset", "run"):
        if key in overrides:
            raise SettingsError(
                f"--set does not take {key!r}; give --{'name' if key == 'run' else key} {overrides[key]}."
            )
    settings = make_settings(options.preset or "quick", run=options.name, **overrides)
    goes_on = getattr(options, "resume", False) or getattr(options, "start", "00") != "00"
    kept = kept_parameters(settings) if goes_on else None
    return _as_before(settings, kept, options, overrides) if kept else settings


def _as_before(asked: Settings, kept: dict[str, Any], options: argparse.Namespace, given: dict[str, Any]) -> Settings:
    """The settings of the run that goes on, with those that are given now; other ones are refused to ``--resume``."""
    before = make_settings(kept["preset"], run=asked.run, **kept["overrides"])
    if options.preset in (None, kept["preset"]):
        no_revision = {"model_revision": None} if "model" in given else {}  # it belonged to the model of before
        asked = make_settings(kept["preset"], run=asked.run, **(kept["overrides"] | no_revision | given))
    other = asked.differences(before.to_dict())
    if other and options.resume:
        raise SettingsError(
            f"Run {asked.run!r} was made with other settings: {other}. To go on with it, leave them out, as "
            "its settings are kept; to begin anew, leave out --resume, or give another --name."
        )
    return asked


def _run(options: argparse.Namespace) -> int:
    from .course.report import write_report

    settings = settings_from(options)
    if options.trained:
        from .model.training import check_trained

        check_trained(settings)
    began = time.perf_counter()
    done = max(lessons_done(settings), default="")
    if "" < done < lessons()[-1].stem and options.start == "00" and not options.resume:
        print(f"A run {settings.run!r} was stopped after {done}; --resume would go on there. Starting anew.")
    for lesson in run_series(
        settings, options.start, leave_out=("03",) if options.trained else (), resume=options.resume
    ):
        print(f"{lesson.name:24} {lesson.seconds:6.1f} s   {short_path(lesson.notebook)}", flush=True)
    print(f"{'all':24} {time.perf_counter() - began:6.1f} s")
    if settings.paths.metrics.is_file():
        test = json.loads(settings.paths.metrics.read_text(encoding="utf-8"))["test"]
        print(
            f"\nTest accuracy {test['accuracy']:.3f}, F1 {test['f1']:.3f} on {test['examples']:,} reviews "
            f"({short_path(settings.paths.metrics)})\nFigures: {short_path(settings.paths.figures)}\n"
            f"To read: {short_path(write_report(settings.paths))}"
        )
    return 0


def _report(options: argparse.Namespace) -> int:
    from .course.report import write_report

    paths = make_settings(run=options.name).paths
    other = make_settings(run=options.beside).paths if options.beside else None
    print(short_path(write_report(paths, other)))
    return 0


def _train(options: argparse.Namespace) -> int:
    settings = settings_from(options)
    from .model.compute import choose_compute
    from .model.training import share_of_batch

    share_of_batch(settings)  # an error here comes before minutes of preparation
    compute = choose_compute(settings.device, settings.precision, settings.attention)
    join_processes(compute.device)
    with ExitStack() as around:
        if is_first():
            around.enter_context(only_this(settings))
        return _train_alone(settings, compute)


def _train_alone(settings: Settings, compute) -> int:
    from .data.preparation import prepare
    from .data.splits import load_dataset, save_dataset
    from .model.pretrained import initialize_model_and_tokenizer
    from .model.training import fine_tune, save_training

    with first_goes_first():
        if is_first():
            save_dataset(prepare(settings)[0], settings)
        dataset = load_dataset(settings)
        model, tokenizer = initialize_model_and_tokenizer(
            settings.model,
            revision=settings.model_revision,
            dropout=settings.dropout,
            compute=compute,
            seed=settings.seed,
        )
    result = fine_tune(model, tokenizer, dataset, settings)
    if is_first():
        path = save_training(result, settings)
        best = result.history["validation_accuracy"].max()
        print(
            f"{result.examples:,} reviews, {result.steps} steps in {result.seconds:.0f} s "
            f"({result.examples_per_second:.1f} reviews/s in {process_count()} processes), "
            f"validation accuracy {best:.3f}: {short_path(path)}"
        )
    return 0


def _sweep(options: argparse.Namespace) -> int:
    settings = settings_from(options)
    from .data.preparation import prepare
    from .experiments.records import run_trials, summarise, table_of_runs
    from .experiments.sweep import check_can_vary, over_workers, variations, workers
    from .experiments.trials import Trial

    vary = {}
    for pair in (pair for group in options.vary for pair in group):
        key, _, values = pair.partition("=")
        check_can_vary([key])
        vary[key] = [getattr(make_settings(settings.preset, **{key: value}), key) for value in values.split(",")]
    sizes = _whole_numbers("--sizes", options.sizes) if options.sizes else None
    seeds = _whole_numbers("--seeds", options.seeds)
    variations(vary, sizes or [2], seeds, settings)  # errors come before the data are prepared
    dataset = dict(prepare(settings)[0])
    dataset["test"] = dataset[options.on]
    trials = variations(vary, sizes or [len(dataset["train"])], seeds, settings)
    folder = settings.paths.sweep / options.on
    with ExitStack() as stack:
        stack.enter_context(only_this(settings))
        spread = {}
        if options.workers or options.scheduler:
            client = stack.enter_context(workers(options.scheduler, options.workers or 0))
            spread = {"spread": over_workers(client)}
        records = []
        for record in run_trials(trials, dataset, settings, folder, **spread):
            records.append(record)
            name = Trial(**record["trial"]).name
            accuracy = record["test"]["accuracy"]
            print(
                f"{len(records):4} of {len(trials)}   {name:60} {accuracy:.4f}  {record['seconds']:6.0f} s", flush=True
            )
    table = table_of_runs(records)
    means = summarise(table, ["train_size", *vary]).sort_values("mean", ascending=False)
    shown = means.to_string(index=False, float_format=lambda number: f"{number:.4g}")
    print(f"\nAccuracy on {options.on}, mean over seeds with its 95 % interval\n{shown}")
    path = folder / "trials.csv"
    with replacing(path) as beside:
        table.to_csv(beside, index=False)
    print(f"\n{short_path(path)}")
    return 0


def _whole_numbers(option: str, text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise SettingsError(f"{option} takes whole numbers with commas between them; got {text!r}.") from None


def _predict(options: argparse.Namespace) -> int:
    if bool(options.text) == bool(options.input):
        raise SettingsError("Give either texts or --input FILE.")
    if bool(options.input) != bool(options.output):
        raise SettingsError("--input and --output go together.")
    classifier, settings = _load(options)
    if options.input:
        from .model.file_prediction import predict_file

        column = options.text_column or settings.text_column
        rows = predict_file(options.input, options.output, classifier, text_column=column)
        if is_first():
            print(f"{rows:,} texts classified: {options.output}")
        return 0
    from .data.labels import LABEL_NAMES
    from .data.preparation import clean_text

    texts = [clean_text(text) for text in options.text]  # without what a terminal would obey, too
    probabilities = classifier.predict(texts)
    for text, probability in zip(texts, probabilities, strict=True):
        print(f"{LABEL_NAMES[int(probability >= 0.5)]:8}  {probability:.3f}  {text}")
    return 0


def _load(options: argparse.Namespace) -> tuple[Classifier, Settings]:
    """The fine-tuned classifier of a run, and the settings it was made with."""
    from .model.compute import choose_compute
    from .model.inference import Classifier
    from .model.pretrained import initialize_model_and_tokenizer
    from .model.training import load_training

    paths = make_settings(run=options.name).paths
    folder = paths.require(paths.model, "03")
    settings = Settings(**load_training(paths)["settings"])
    compute = choose_compute(options.device or settings.device, settings.precision, settings.attention)
    join_processes(compute.device)
    model, tokenizer = initialize_model_and_tokenizer(str(folder), compute=compute)
    return Classifier(model, tokenizer, settings.encoding, settings.precision), settings


def make_parser(commands_of: Mapping[str, Callable]) -> argparse.ArgumentParser:
    """The parser of all commands; `commands_of` has the function of each."""
    parser = argparse.ArgumentParser(
        prog="python -m sentiment_lib", description="Fine-tune BERT for the sentiment of movie reviews."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _add(
        commands,
        "run",
        "run all lessons: data, fine-tuning, evaluation, attention",
        "Run the lessons in order. Results go to results/RUN and figures/RUN.",
        "  python -m sentiment_lib run\n"
        "  python -m sentiment_lib run --preset imdb --source my_reviews/ --set train_size=4000 --name mine\n"
        "  python -m sentiment_lib run --from 04\n"
        "  python -m sentiment_lib run --resume                     # after it was stopped",
    )
    run.add_argument(
        "--from", dest="start", default="00", metavar="NN", help="start with this lesson, with the run's settings"
    )
    run.add_argument("--resume", action="store_true", help="go on with a run that was stopped, where it was")
    run.add_argument("--trained", action="store_true", help="leave out lesson 03 and use the model that 'train' left")
    run.set_defaults(command=commands_of["run"])

    train = _add(
        commands,
        "train",
        "fine-tune without notebooks, in one process or, with torchrun, in several",
        "Prepare the data and fine-tune, as lessons 01 and 03 do. The model goes to results/RUN.",
        "  python -m sentiment_lib train --preset imdb --source my_reviews/\n"
        "  torchrun --nproc_per_node 2 -m sentiment_lib train --preset full\n"
        "  python -m sentiment_lib run --preset full --trained      # then the lessons, with that model",
    )
    train.set_defaults(command=commands_of["train"])

    sweep = _add(
        commands,
        "sweep",
        "train BERT with every combination of settings, sizes and seeds",
        "Train BERT with every combination, here or by Dask workers; what is done is kept in results/RUN/sweep.",
        "  python -m sentiment_lib sweep --vary learning_rate=5e-5,1e-4 batch_size=16,32 --seeds 0,1,2\n"
        "  python -m sentiment_lib sweep --preset imdb --sizes 1000,4000 --workers 2\n"
        "  python -m sentiment_lib sweep --preset imdb --vary epochs=2,3 --scheduler tcp://10.0.0.1:8786",
    )
    sweep.add_argument("--vary", action="append", default=[], nargs="+", metavar="KEY=V1,V2", help="values to combine")
    sweep.add_argument("--sizes", help="numbers of training reviews, 1000,4000 (default: all)")
    sweep.add_argument("--seeds", default="0", help="seeds, 0,1,2: which reviews, weights, order (default: 0)")
    sweep.add_argument(
        "--on",
        default="validation",
        choices=("validation", "test"),
        help="reviews to compare on (default: validation; test only when nothing is chosen by it)",
    )
    where = sweep.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="N Dask workers on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler and its workers")
    sweep.set_defaults(command=commands_of["sweep"])

    predict = commands.add_parser(
        "predict",
        help="classify texts with a fine-tuned model",
        description="Classify texts given as words of the command, or all rows of a file.",
        epilog='examples:\n  python -m sentiment_lib predict "A joy from start to finish." "Dull."\n'
        "  python -m sentiment_lib predict --input reviews.csv --output scored.csv",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.add_argument("text", nargs="*", help="texts to classify")
    predict.add_argument("--input", type=Path, metavar="FILE", help="CSV, TSV, JSON-lines or Parquet file of any size")
    predict.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where the file's rows go, with two new columns; stopped, the same command goes on",
    )
    predict.add_argument("--text-column", help="column with the texts (default: as in the run)")
    predict.add_argument("--device", help="auto, cpu, cuda or mps (default: as in the run)")
    predict.add_argument("--name", default="quick", metavar="RUN", help="run whose model is used (default: quick)")
    predict.set_defaults(command=commands_of["predict"])

    report = commands.add_parser(
        "report",
        help="write a run's results, figures and lessons as pages",
        description="Write results/RUN/report: plain HTML that needs no network. Every whole run ends with it.",
        epilog="examples:\n  python -m sentiment_lib report --name mine\n"
        "  python -m sentiment_lib report --name mine --beside quick     # with a page that compares the two",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("--name", default="quick", metavar="RUN", help="which run (default: quick)")
    report.add_argument("--beside", metavar="RUN", help="another run, to set beside it")
    report.set_defaults(command=commands_of["report"])
    return parser


def _add(commands, name: str, help: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A command that takes the settings of a run."""
    known = "\n".join(
        f"  {key:16} {meaning} (default: {default})"
        for key, default, meaning in describe_settings()
        if key not in ("preset", "run")  # options of their own
    )
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=f"settings for --set, with the defaults of the preset quick:\n{known}\n\nexamples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", help=f"one of {', '.join(PRESETS)} (default: quick)")
    parser.add_argument("--source", help="snippets, imdb, or your own CSV, JSON-lines or Parquet file or folder")
    parser.add_argument("--model", help="bundled, a local folder, or a name on the hub")
    parser.add_argument("--set", action="append", default=[], nargs="+", metavar="KEY=VALUE", help="change a setting")
    parser.add_argument("--name", metavar="RUN", help="name of the run (default: the preset's name)")
    return parser
