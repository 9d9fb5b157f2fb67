"""The options of ``python -m sentiment_lib`` and their help texts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from .settings import PRESETS, describe_settings


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
