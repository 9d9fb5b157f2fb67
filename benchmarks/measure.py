"""The long experiments of lessons 02 and 07. Their results are shipped with the workbook in data/measured/.

    python benchmarks/measure.py snippets                       4 minutes on two cores
    python benchmarks/measure.py imdb --source path/to/imdb     about 2 hours; IMDB comes from the hub without --source

Every trial is kept in results/<name>/experiments. If interrupted, run the same command again to continue.
"""

import argparse

from sentiment_lib.data.preparation import prepare
from sentiment_lib.experiments.records import run_trials
from sentiment_lib.experiments.trials import BERT, METHODS, Trial, grid
from sentiment_lib.run.files import write_json
from sentiment_lib.run.paths import lessons_dir
from sentiment_lib.settings import make_settings

SEEDS = [0, 1, 2]


def trials_of(name: str, total: int) -> list:
    """The trials of an experiment, the most informative first."""
    if name == "snippets":  # the run itself has seed 0
        return grid([total], [1, 2, 3], [BERT])
    small, tfidf, probe = [100, 300, 1000, 4000], METHODS[1], METHODS[2]
    trials = grid([*small, total], SEEDS, [tfidf], total)
    for seed in SEEDS:
        trials += grid(small, [seed], [BERT], max_length=128)
        for end in ("head", "tail"):
            trials += grid([4000], [seed], [BERT], max_length=128, truncation=end)
    trials += grid([total], [0], [BERT], max_length=128)
    trials += grid([*small, total], SEEDS, [probe], total)
    trials += [trial for seed in SEEDS for trial in grid(small, [seed], [BERT], max_length=64)]
    return trials + grid([1000, 4000], SEEDS, [BERT], max_length=256)


def main() -> None:
    """Run the trials, or collect those already run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["snippets", "imdb"])
    parser.add_argument("--source", help="a local copy of IMDB")
    parser.add_argument("--only-collect", action="store_true", help="only write the results of trials already run")
    args = parser.parse_args()
    settings = make_settings()
    if args.name == "imdb":
        settings = make_settings("imdb", source=args.source or "imdb", epochs=2, first_length=None)
    dataset, _ = prepare(settings)
    trials = trials_of(args.name, len(dataset["train"]))
    folder = settings.paths.experiments
    if args.only_collect:
        trials = [trial for trial in trials if (folder / trial.name / "metrics.json").is_file()]
    records = []
    test_reviews = 2000 if args.name == "imdb" else None
    for record in run_trials(trials, dataset, settings, folder, test_reviews=test_reviews):
        measures = ("examples", "accuracy", "precision", "recall", "f1", "average_precision", "roc_auc")
        test = {name: record["test"][name] for name in measures}
        records.append({**{key: record[key] for key in ("ticket", "trial", "versions")}, "test": test})
        print(f"{Trial(**record['trial']).name}: accuracy {test['accuracy']:.3f}", flush=True)
    print(write_json(lessons_dir().parent / "data" / "measured" / f"{args.name}.json", records), len(records), "trials")


if __name__ == "__main__":
    main()
