"""The command line: ``python -m sentiment_lib run`` and ``python -m sentiment_lib predict``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from .paths import short_path
from .settings import PRESETS, Settings, SettingsError, describe_settings, make_settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when it worked, 1 when it failed, 2 when it was called wrongly."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (SettingsError, ValueError, FileNotFoundError, ConnectionError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    except RuntimeError as error:
        from .series import LessonError

        if not isinstance(error, LessonError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sentiment_lib", description="Fine-tune BERT for the sentiment of movie reviews."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    settings = "\n".join(
        f"  {name:16} {meaning} (default: {default})" for name, default, meaning in describe_settings()
    )

    run = commands.add_parser(
        "run",
        help="run all lessons: data, fine-tuning, evaluation, attention",
        description="Run the lessons in order. Results go to results/RUN and figures/RUN.",
        epilog=f"settings for --set, with the defaults of the preset quick:\n{settings}\n\n"
        "examples:\n  python -m sentiment_lib run\n"
        "  python -m sentiment_lib run --preset imdb --source my_reviews/ --set train_size=4000 --name mine\n"
        "  python -m sentiment_lib run --from 04",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("--preset", default="quick", help=f"one of {', '.join(PRESETS)} (default: quick)")
    run.add_argument("--source", help="snippets, imdb, or your own CSV, JSON-lines or Parquet file or folder")
    run.add_argument("--model", help="bundled, a local folder, or a name on the hub")
    run.add_argument("--set", action="append", default=[], nargs="+", metavar="KEY=VALUE", help="change a setting")
    run.add_argument("--name", metavar="RUN", help="name of the run (default: the preset's name)")
    run.add_argument("--from", dest="start", default="00", metavar="NN", help="start with this lesson")
    run.set_defaults(command=_run)

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
    predict.add_argument("--text-column", default="text", help="column with the texts (default: text)")
    predict.add_argument("--name", default="quick", metavar="RUN", help="run whose model is used (default: quick)")
    predict.set_defaults(command=_predict)
    return parser


def settings_from(options: argparse.Namespace) -> Settings:
    """The settings that the options of ``run`` ask for; paths become absolute, so that lessons find them."""
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
            path = Path(overrides[key]).expanduser()
            if path.exists():
                overrides[key] = str(path.resolve())
            elif key == "source":
                raise SettingsError(
                    f"There is no source {overrides[key]!r}: give snippets, imdb or an existing file or folder "
                    f"(looked for {path.resolve()})."
                )
    return make_settings(options.preset, run=options.name, **overrides)


def _run(options: argparse.Namespace) -> int:
    settings = settings_from(options)
    from .series import run_series

    began = time.perf_counter()
    for lesson in run_series(settings, options.start):
        print(f"{lesson.name:24} {lesson.seconds:6.1f} s   {short_path(lesson.notebook)}", flush=True)
    print(f"{'all':24} {time.perf_counter() - began:6.1f} s")
    if settings.paths.metrics.is_file():
        test = json.loads(settings.paths.metrics.read_text(encoding="utf-8"))["test"]
        print(
            f"\nTest accuracy {test['accuracy']:.3f}, F1 {test['f1']:.3f} on {test['examples']:,} reviews "
            f"({short_path(settings.paths.metrics)})\nFigures: {short_path(settings.paths.figures)}"
        )
    return 0


def _predict(options: argparse.Namespace) -> int:
    if bool(options.text) == bool(options.input):
        raise SettingsError("Give either texts or --input FILE.")
    if bool(options.input) != bool(options.output):
        raise SettingsError("--input and --output go together.")
    model, tokenizer, how = _load(options.name)
    if options.input:
        from .scoring import predict_file

        rows = predict_file(options.input, options.output, model, tokenizer, text_column=options.text_column, **how)
        print(f"{rows:,} texts classified: {options.output}")
        return 0
    from .data import LABEL_NAMES, clean_text
    from .inference import predict

    probabilities = predict([clean_text(text) for text in options.text], model, tokenizer, **how)
    for text, probability in zip(options.text, probabilities, strict=True):
        print(f"{LABEL_NAMES[int(probability >= 0.5)]:8}  {probability:.3f}  {text}")
    return 0


def _load(run: str) -> tuple[Any, Any, dict[str, Any]]:
    """Model and tokenizer of a run, and how it cuts long texts."""
    from .model import initialize_model_and_tokenizer
    from .results import load_training

    paths = make_settings(run=run).paths
    folder = paths.require(paths.model, "03")
    settings = Settings(**load_training(paths)["settings"])
    return *initialize_model_and_tokenizer(str(folder)), settings.encoding


if __name__ == "__main__":
    sys.exit(main())
