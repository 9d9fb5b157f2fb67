"""The command line: ``python -m sentiment_lib`` with a command such as ``run``, ``predict`` or ``page``."""

import argparse
import inspect
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from .course.series import kept_parameters, lessons, lessons_done, only_this, run_series
from .errors import SettingsError, WorkbookError
from .run import first_goes_first, is_first, join_processes, process_count, replacing, short_path
from .settings import PRESETS, Settings, make_settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when it worked, 1 when it failed, 2 when it was called wrongly."""
    options = make_parser().parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except WorkbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1


def settings_from(options: argparse.Namespace) -> Settings:
    """The settings that a command's options ask for, with absolute paths, so that the lessons find them.

    A run that is continued (``--resume``, ``--from``) keeps the settings it was started with.
    """
    from .data import existing_path, parse_name

    overrides = _overrides(options.set)
    for key, option in (("preset", "--preset"), ("run", "--name")):
        if key in overrides:
            raise SettingsError(f"--set does not take {key!r}; give {option} {overrides[key]}.")
    overrides |= {key: value for key in ("source", "model") if (value := getattr(options, key)) is not None}
    for key in {"source", "model"} & set(overrides):
        path = existing_path(overrides[key])
        if overrides[key] in ("snippets", "imdb", "bundled"):
            continue
        if path is not None:
            overrides[key] = str(path.resolve())
        elif key == "source" and parse_name(overrides[key]) is None:
            raise SettingsError(
                f"There is no source {overrides[key][:100]!r}: give snippets, imdb, an existing file or folder "
                f"(looked in {Path.cwd()}), or a dataset on the hub such as stanfordnlp/sst2."
            )
    settings = make_settings(options.preset or "quick", run=options.name, **overrides)
    continued = getattr(options, "resume", False) or getattr(options, "start", "00") != "00"
    kept = kept_parameters(settings) if continued else None
    return _continued(settings, kept, options, overrides) if kept else settings


def _overrides(pairs: list[str]) -> dict[str, str]:
    overrides = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set takes KEY=VALUE; got {pair!r}.")
        overrides[key.strip()] = value if value.isspace() else value.strip()  # a tab is a delimiter
    return overrides


def _continued(
    settings: Settings, kept: dict[str, Any], options: argparse.Namespace, overrides: dict[str, Any]
) -> Settings:
    """The settings that a run was started with, changed by the options given now; ``--resume`` allows no change."""
    before = make_settings(kept["preset"], run=settings.run, **kept["overrides"])
    if options.preset in (None, kept["preset"]):
        revision = {"model_revision": None} if "model" in overrides else {}  # it belonged to the earlier model
        settings = make_settings(kept["preset"], run=settings.run, **(kept["overrides"] | revision | overrides))
    if options.resume and (differences := settings.differences(before.to_dict())):
        raise SettingsError(
            f"Run {settings.run!r} was made with other settings: {differences}. To continue it, leave them out: "
            "it keeps its settings. To start again, leave out --resume, or give another --name."
        )
    return settings


def _run(options: argparse.Namespace) -> int:
    """Run the lessons in order. Results go to results/RUN and figures/RUN.

    examples:
      python -m sentiment_lib run
      python -m sentiment_lib run --preset imdb --source my_reviews/ --set train_size=4000 --name mine
      python -m sentiment_lib run --from 04
      python -m sentiment_lib run --resume                     # after it was stopped
    """
    from .course.report import write_report

    settings = settings_from(options)
    if options.trained:
        from .model.training import check_trained

        check_trained(settings)
    began = time.perf_counter()
    last = max(lessons_done(settings), default="")
    if "" < last < lessons()[-1].stem and options.start == "00" and not options.resume:
        print(f"A run {settings.run!r} was stopped after {last}; --resume would continue it. Starting again.")
    leave_out = ("03",) if options.trained else ()
    for lesson in run_series(settings, options.start, leave_out, resume=options.resume, tell=print):
        print(f"{lesson.name:24} {lesson.seconds:6.1f} s   {short_path(lesson.notebook)}", flush=True)
    print(f"{'all':24} {time.perf_counter() - began:6.1f} s")
    paths = settings.paths
    if paths.metrics.is_file():
        test = json.loads(paths.metrics.read_text(encoding="utf-8"))["test"]
        print(
            f"\nTest accuracy {test['accuracy']:.3f}, F1 {test['f1']:.3f} on {test['examples']:,} reviews "
            f"({short_path(paths.metrics)})\nFigures: {short_path(paths.figures)}\n"
            f"To read: {short_path(write_report(paths, explorer=not options.no_model))}"
        )
    return 0


def _report(options: argparse.Namespace) -> int:
    """Write results/RUN/report: plain HTML that needs no network. Every complete run ends with it.

    examples:
      python -m sentiment_lib report --name mine
      python -m sentiment_lib report --name mine --beside quick     # with a page that compares the two
    """
    from .course.report import write_report

    other = make_settings(run=options.beside).paths if options.beside else None
    paths = make_settings(run=options.name).paths
    print(short_path(write_report(paths, other, explorer=not options.no_model)))
    return 0


def _page(options: argparse.Namespace) -> int:
    """Write the explorer of a run as a page whose model runs in the page: no kernel, no server, no network.

    examples:
      python -m sentiment_lib page --name quick
      python -m sentiment_lib page --name mine --weights float16 --output folder
      python -m sentiment_lib page --corpus 0      # for publishing: without reviews from your data
    """
    from .course.run_page import write_run_page

    if options.corpus < 0:
        raise SettingsError(f"--corpus {options.corpus} should be 0 or more.")
    folder = _own_folder(options.output, "model.js")
    paths = make_settings(run=options.name).paths
    print(short_path(write_run_page(paths, folder, weights=options.weights, corpus_size=options.corpus)))
    return 0


def _export(options: argparse.Namespace) -> int:
    """Write the exercises of the lessons as a course for nbgrader, with numbers and hidden inputs of its own.

    examples:
      python -m sentiment_lib course export --to nbgrader grading
      python -m sentiment_lib course export --to nbgrader spring --lessons 01 04
      python -m sentiment_lib course export --to nbgrader again --secret grading/secret.txt     # the same course
    """
    from .course.grading import export_course

    folder, secret = Path(options.folder), None
    if options.secret:
        try:
            secret = Path(options.secret).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--secret {options.secret} cannot be read ({error}); give a text file.") from None
    for row in export_course(folder, options.lessons, secret):
        print("lesson {lesson}: {exercises} exercises, {points} points, {by hand} of them by hand".format(**row))
    print(
        f"{short_path(folder)}; numbers and hidden inputs are drawn from {short_path(folder / 'secret.txt')}, keep it"
    )
    return 0


def _site(options: argparse.Namespace) -> int:
    """Write the course as a site: the committed lessons, and the results and the model of a run. It needs no server.

    examples:
      python -m sentiment_lib site                             # from the run quick, to site/
      python -m sentiment_lib site --no-model --output folder
    """
    from .course.site import write_site

    folder = _own_folder(options.output, "search_index.js")
    print(short_path(write_site(make_settings(run=options.name).paths, folder, explorer=not options.no_model)))
    return 0


def _own_folder(output: str | None, mark: str) -> Path | None:
    """The folder of ``--output``, which is replaced: it must be new, empty, or hold the file `mark`."""
    folder = Path(output) if output else None
    if folder and folder.exists() and not (folder / mark).is_file() and any(folder.iterdir()):
        raise SettingsError(f"--output {output} holds other files; give a new folder, or one that this command wrote.")
    return folder


def _train(options: argparse.Namespace) -> int:
    """Prepare the data and fine-tune, as lessons 01 and 03 do. The model goes to results/RUN.

    examples:
      python -m sentiment_lib train --preset imdb --source my_reviews/
      torchrun --nproc_per_node 2 -m sentiment_lib train --preset full
      python -m sentiment_lib run --preset full --trained      # then the lessons, with that model
    """
    settings = settings_from(options)
    from .data import load_dataset, prepare, save_dataset
    from .model import choose_compute, fine_tune, save_training
    from .model.training import share_of_batch, starting_model

    share_of_batch(settings)  # an error here comes before minutes of preparation
    join_processes(choose_compute(settings.device).device)
    with only_this(settings) if is_first() else nullcontext():
        with first_goes_first():
            if is_first():
                dataset, summary = prepare(settings)
                print(summary.describe(), end="\n\n", flush=True)
                save_dataset(dataset, settings)
            dataset = load_dataset(settings)
            model, tokenizer = starting_model(settings)
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
    """Train BERT with every combination, here or by Dask workers. Trials that are done are kept in results/RUN/sweep.

    examples:
      python -m sentiment_lib sweep --vary learning_rate=5e-5,1e-4 batch_size=16,32 --seeds 0,1,2
      python -m sentiment_lib sweep --preset imdb --sizes 1000,4000 --workers 2
      python -m sentiment_lib sweep --preset imdb --vary epochs=2,3 --scheduler tcp://10.0.0.1:8786
    """
    settings = settings_from(options)
    from .data import prepare
    from .experiments import Trial, over_workers, run_trials, summarise, table_of_runs, variations, workers
    from .experiments.records import Spread, one_by_one
    from .experiments.sweep import check_can_vary

    vary = {}
    for pair in options.vary:
        key, _, values = pair.partition("=")
        check_can_vary([key])
        vary[key] = [getattr(make_settings(settings.preset, **{key: value}), key) for value in values.split(",")]
    sizes = _integers("--sizes", options.sizes) if options.sizes else None
    seeds = _integers("--seeds", options.seeds)
    variations(vary, sizes or [2], seeds, settings)  # errors come before the data are prepared
    dataset, summary = prepare(settings)
    print(summary.describe(), end="\n\n", flush=True)
    dataset["test"] = dataset[options.on]
    trials = variations(vary, sizes or [len(dataset["train"])], seeds, settings)
    folder = settings.paths.sweep / options.on
    with ExitStack() as stack:
        stack.enter_context(only_this(settings))
        spread: Spread = one_by_one
        if options.workers or options.scheduler:
            spread = over_workers(stack.enter_context(workers(options.scheduler, options.workers or 0)))
        records = []
        for record in run_trials(trials, dataset, settings, folder, spread=spread):
            records.append(record)
            name, accuracy = Trial(**record["trial"]).name, record["test"]["accuracy"]
            progress = f"{len(records):4} of {len(trials)}"
            print(f"{progress}   {name:60} {accuracy:.4f}  {record['seconds']:6.0f} s", flush=True)
    table = table_of_runs(records)
    means = summarise(table, ["train_size", *vary]).sort_values("mean", ascending=False)
    shown = means.to_string(index=False, float_format=lambda number: f"{number:.4g}")
    print(f"\nAccuracy on {options.on}, mean over seeds with its 95 % interval\n{shown}")
    path = folder / "trials.csv"
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)
    print(f"\n{short_path(path)}")
    return 0


def _integers(option: str, text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise SettingsError(f"{option} takes whole numbers separated by commas; got {text!r}.") from None


def _predict(options: argparse.Namespace) -> int:
    """Classify texts given as words of the command, one per line of standard input, or all rows of a file.

    examples:
      python -m sentiment_lib predict "A joy from start to finish." "Dull."
      python -m sentiment_lib predict --input reviews.csv --output scored.csv
      python -m sentiment_lib predict --input reviews.csv --set "delimiter=;" encoding=cp1252 --output -
      python -m sentiment_lib predict - < lines.txt
    """
    if bool(options.text) == bool(options.input):
        raise SettingsError("Give either texts (- for standard input) or --input FILE.")
    if bool(options.input) != bool(options.output):
        raise SettingsError("--input and --output go together; --output - writes to standard output.")
    if process_count() > 1 and "-" in (options.input, options.output):
        raise SettingsError("Several processes share a file: give --input and --output a path each, instead of -.")
    from .data import LABEL_NAMES, TableOptions, clean_text
    from .model import Classifier, choose_compute, initialize_model_and_tokenizer, load_training

    allowed = ("delimiter", "encoding", "header", "quotes")
    given = _overrides(options.set)
    if wrong := set(given) - set(allowed):
        raise SettingsError(f"predict --set takes {', '.join(allowed)}; got {min(wrong)!r}.")
    paths = make_settings(run=options.name).paths
    folder = paths.require(paths.model, "03")
    settings = Settings.from_dict(load_training(paths)["settings"])
    if options.input:
        column = options.text_column or settings.text_column
        table_options = TableOptions(
            **(make_settings(**given).table_options | {"columns": (column,) if column is not None else ()})
        )
    compute = choose_compute(options.device or settings.device, settings.precision, settings.attention)
    join_processes(compute.device)
    model, tokenizer = initialize_model_and_tokenizer(str(folder), compute=compute)
    classifier = Classifier(model, tokenizer, settings.encoding, settings.precision)
    if options.input:
        return _predict_file(options.input, options.output, classifier, column, table_options)
    texts = [line.rstrip("\r\n") for line in sys.stdin] if options.text == ["-"] else options.text
    texts = [clean_text(text) for text in texts]  # also without control characters that a terminal would obey
    for text, probability in zip(texts, classifier.predict(texts), strict=True):
        print(f"{LABEL_NAMES[int(probability >= 0.5)]:8}  {probability:.3f}  {text}")
    return 0


def _predict_file(source: str, target: str, classifier: Any, column: str | None, table_options: Any) -> int:
    """Classify a file, or the lines of standard input (``-``); ``-`` as target is standard output."""
    from .data.tables import how_read
    from .model import predict_file
    from .model.file_prediction import WRITERS, text_column_in

    with tempfile.TemporaryDirectory() as scratch:
        read, written = Path(source), Path(target)
        if source == "-":
            read = Path(scratch) / "standard input.txt"
            with read.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        if target == "-":
            kind = read.suffix.lower() if WRITERS.get(read.suffix.lower()) in ("csv", "tsv", "json") else ".csv"
            written = Path(scratch) / f"predictions{kind}"
        column = text_column_in(read, column, table_options)
        how = how_read(read, table_options)
        rows = predict_file(read, written, classifier, text_column=column, options=table_options)
        if is_first():
            if target == "-":
                with written.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.flush()
            said = f"{rows:,} texts of column {column!r}{f' ({how})' if how else ''} classified: {target}"
            print(said, file=sys.stderr if target == "-" else sys.stdout)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; ``options.command`` is the function of the command that was given."""
    parser = argparse.ArgumentParser(
        prog="python -m sentiment_lib", description="Fine-tune BERT for the sentiment of movie reviews."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _add(commands, _run, "run all lessons: data, fine-tuning, evaluation, attention")
    train = _add(commands, _train, "fine-tune without notebooks, in one process or, with torchrun, in several")
    sweep = _add(commands, _sweep, "train BERT with every combination of settings, sizes and seeds")
    predict = _add(commands, _predict, "classify texts with a fine-tuned model")
    report = _add(commands, _report, "write a run's results, figures and lessons as pages")
    page = _add(commands, _page, "write the explorer with a run's model as a page")
    course = commands.add_parser("course", help="write the exercises for another program").add_subparsers(
        required=True, metavar="COMMAND"
    )
    export = _add(course, _export, "write a course for nbgrader")
    site = _add(commands, _site, "write the course as a site, with a run's results and model")
    for command in (run, train, sweep):
        _add_settings(command)
    for command in (run, report, site):
        command.add_argument("--no-model", action="store_true", help="leave out the explorer, 33 MB")
    for command in (predict, report, page, site):
        command.add_argument("--name", default="quick", metavar="RUN", help="name of the run (default: quick)")

    run.add_argument(
        "--from", dest="start", default="00", metavar="NN", help="start with this lesson, with the run's settings"
    )
    run.add_argument("--resume", action="store_true", help="continue a run that was stopped")
    run.add_argument("--trained", action="store_true", help="leave out lesson 03 and use the model that 'train' left")

    sweep.add_argument("--vary", action="extend", default=[], nargs="+", metavar="KEY=V1,V2", help="values to combine")
    sweep.add_argument("--sizes", help="numbers of training reviews, 1000,4000 (default: all)")
    sweep.add_argument("--seeds", default="0", help="seeds, 0,1,2: which reviews, weights, order (default: 0)")
    sweep.add_argument(
        "--on",
        default="validation",
        choices=("validation", "test"),
        help="reviews to compare on (default: validation; use test only when nothing is chosen by the result)",
    )
    where = sweep.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="N Dask workers on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler and its workers")

    predict.add_argument("text", nargs="*", help="texts to classify; -: one per line of standard input")
    predict.add_argument("--input", metavar="FILE", help="table or text file of any size; -: lines of standard input")
    rows = "CSV, TSV, JSON-lines or Parquet file for the rows with two new columns; -: standard output"
    predict.add_argument("--output", metavar="FILE", help=f"{rows}; after a stop, the same command continues")
    predict.add_argument("--text-column", help="column with the texts (default: as in the run, or by its name)")
    written = "how a CSV file is written, if that is not recognised: delimiter, encoding, header, quotes"
    predict.add_argument("--set", action="extend", default=[], nargs="+", metavar="KEY=VALUE", help=written)
    predict.add_argument("--device", help="auto, cpu, cuda or mps (default: as in the run)")

    page.add_argument("--weights", default="int8", choices=("int8", "float16"), help="how they are stored")
    searched = "validation reviews to search (default: 200)"
    page.add_argument("--corpus", type=int, default=200, metavar="N", help=searched)
    page.add_argument("--output", metavar="FOLDER", help="where to write it (default: results/RUN/page)")
    export.add_argument("folder", metavar="FOLDER", help="new folder for the course")
    export.add_argument("--to", required=True, choices=("nbgrader",), help="the program that grades")
    export.add_argument("--lessons", nargs="+", default=[], metavar="NN", help="such as 01 04 (default: all)")
    drawn = "file with 16 characters or more, from which numbers and inputs are drawn (default: new ones)"
    export.add_argument("--secret", metavar="FILE", help=drawn)
    site.add_argument("--output", metavar="FOLDER", help="where to write it (default: site)")
    report.add_argument("--beside", metavar="RUN", help="another run to compare it with")
    return parser


def _add(commands, function: Callable, summary: str) -> argparse.ArgumentParser:
    """A command; the docstring of its function is its help."""
    description, _, examples = (inspect.getdoc(function) or "").partition("\n\n")
    parser = commands.add_parser(
        function.__name__.removeprefix("_"),
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=function)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Options for the settings of a run, and a list of all settings in the help."""
    known = "\n".join(
        f"  {setting.name:16} {setting.metadata['meaning']} (default: {setting.default!r})"
        for setting in fields(Settings)
        if setting.name not in ("preset", "run")  # they have options of their own
    )
    parser.epilog = f"settings for --set, with the defaults of the preset quick:\n{known}\n\n{parser.epilog}"
    parser.add_argument("--preset", help=f"one of {', '.join(PRESETS)} (default: quick)")
    parser.add_argument("--source", help="snippets, imdb, your own file or folder, or a dataset on the hub")
    parser.add_argument("--model", help="bundled, a local folder, or a name on the hub")
    parser.add_argument("--set", action="extend", default=[], nargs="+", metavar="KEY=VALUE", help="change a setting")
    parser.add_argument("--name", metavar="RUN", help="name of the run (default: the preset's name)")
