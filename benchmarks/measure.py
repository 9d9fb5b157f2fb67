"""The long experiments of lessons 02 and 07, whose results come with the workbook in data/measured/.

    python benchmarks/measure.py snippets                       4 minutes on two cores
    python benchmarks/measure.py imdb --source path/to/imdb     some 2 hours; without --source from the hub

Every trial is kept under results/<name>/experiments; stopped at any moment, the same command goes on.
"""

import argparse

from bench import PLAIN

from sentiment_lib.data.preparation import prepare
from sentiment_lib.experiments.records import run_trials
from sentiment_lib.experiments.trials import BERT, METHODS, Trial, grid
from sentiment_lib.run.files import write_json
from sentiment_lib.run.paths import lessons_dir
from sentiment_lib.settings import make_settings

SEEDS = [0, 1, 2]


def trials_of(name: str, everything: int) -> list:
    """The trials of an experiment, the most telling first."""
    if name == "snippets":  # seed 0 is the run itself
        return grid([everything], [1, 2, 3], [BERT])
    small, tfidf, probe = [100, 300, 1000, 4000], METHODS[1], METHODS[2]
    found = grid([*small, everything], SEEDS, [tfidf], everything)
    for seed in SEEDS:
        found += grid(small, [seed], [BERT], max_length=128)
        for end in ("head", "tail"):
            found += grid([4000], [seed], [BERT], max_length=128, truncation=end)
    found += grid([everything], [0], [BERT], max_length=128)
    found += grid([*small, everything], SEEDS, [probe], everything)
    found += [trial for seed in SEEDS for trial in grid(small, [seed], [BERT], max_length=64)]
    return found + grid([1000, 4000], SEEDS, [BERT], max_length=256)


def main() -> None:
    """Run or collect the trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["snippets", "imdb"])
    parser.add_argument("--source", help="a local copy of IMDB")
    parser.add_argument("--only-collect", action="store_true", help="write what is there, train nothing")
    args = parser.parse_args()
    settings = make_settings()
    if args.name == "imdb":
        settings = make_settings("imdb", source=args.source or "imdb", epochs=2, **PLAIN)
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
