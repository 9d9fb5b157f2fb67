"""The long experiments of lessons 02 and 08. Their results are shipped with the workbook in data/measured/.

    python benchmarks/measure.py snippets                       4 minutes on two cores
    python benchmarks/measure.py imdb --source path/to/imdb     about 2 hours; IMDB comes from the hub without --source
    python benchmarks/measure.py snippets_curve                 3 hours; minutes on a GPU
    python benchmarks/measure.py imdb_curve --source path       a day; minutes on a GPU

The curves are the learning curves of lesson 08: the same number of optimiser steps at all sizes (STEPS), the learning
rate of every trial chosen by cross-validation on its own training reviews (RATES), and today's schedule beside it.
Every trial is kept in results/<name>/experiments. If interrupted, run the same command again to continue.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed

from sentiment_lib.data.preparation import prepare
from sentiment_lib.experiments.records import one_by_one, run_trials
from sentiment_lib.experiments.trials import BERT, METHODS, PROBE, TFIDF, Trial, compute_trial, grid
from sentiment_lib.run.files import write_json
from sentiment_lib.run.paths import lessons_dir
from sentiment_lib.settings import make_settings

SEEDS = [0, 1, 2]
STEPS, RATES = 150, [5e-5, 2e-4]


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


def curve_of(name: str, total: int) -> list:
    """The trials of a learning curve: both schedules, the linear methods, and what is trained on 1,000 reviews."""
    imdb = name.startswith("imdb")
    sizes, seeds = ([100, 300, 1000, 4000, total], SEEDS) if imdb else ([100, 300, 1000, total], [0, 1, 2, 3, 4])
    length = {"max_length": 128} if imdb else {}
    same_steps = {"steps": STEPS, "learning_rate": RATES, **length}
    trials = grid(sizes, seeds, [BERT], **same_steps) + grid(sizes, seeds, [BERT], **length)
    trials += grid(sizes, seeds, [TFIDF, PROBE], total)
    trials += grid([1000], seeds, [BERT], trained_layers=2, **same_steps)
    return trials + [Trial(PROBE, 1000, seed, {"pooling": "first"}) for seed in seeds]


def side_by_side(workers: int):
    """A way to compute trials in some processes at the same time, each with its share of the cores."""

    def spread(work, trials):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            waiting = {pool.submit(_alone, work, trial, workers): trial for trial in trials}
            for future in as_completed(waiting):
                yield waiting[future], future.result()

    return spread


def _alone(work, trial, workers: int):
    import os

    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    return compute_trial(work, trial)


def main() -> None:
    """Run the trials, or collect those already run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["snippets", "imdb", "snippets_curve", "imdb_curve"])
    parser.add_argument("--source", help="a local copy of IMDB")
    parser.add_argument("--only-collect", action="store_true", help="only write the results of trials already run")
    parser.add_argument("--workers", type=int, default=1, help="processes side by side, such as 8 on a GPU")
    args = parser.parse_args()
    settings = make_settings()
    if args.name.startswith("imdb"):
        settings = make_settings("imdb", source=args.source or "imdb", epochs=2, first_length=None)
    dataset, _ = prepare(settings)
    curve = args.name.endswith("_curve")
    trials = (curve_of if curve else trials_of)(args.name, len(dataset["train"]))
    folder = settings.paths.experiments
    if args.only_collect:
        trials = [trial for trial in trials if (folder / trial.name / "metrics.json").is_file()]
    records = []
    test_reviews = 2000 if args.name.startswith("imdb") else None
    spread = side_by_side(args.workers) if args.workers > 1 else one_by_one
    for record in run_trials(trials, dataset, settings, folder, test_reviews=test_reviews, spread=spread):
        measures = ("examples", "accuracy", "precision", "recall", "f1", "average_precision", "roc_auc")
        test = {name: record["test"][name] for name in measures}
        kept = ("ticket", "trial", "versions", *(("right", "chosen") if curve else ()))
        records.append({**{key: record[key] for key in kept}, "test": test})
        print(f"{Trial(**record['trial']).name}: accuracy {test['accuracy']:.3f}", flush=True)
    print(write_json(lessons_dir().parent / "data" / "measured" / f"{args.name}.json", records), len(records), "trials")


if __name__ == "__main__":
    main()
