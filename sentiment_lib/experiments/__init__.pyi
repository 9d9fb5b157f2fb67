from .records import own_record, run_trials, same_experiment, shipped_records, summarise, table_of_runs
from .sweep import over_workers, variations, workers
from .trials import BERT, METHODS, Trial, grid, trial_settings

__all__ = [
    "BERT",
    "METHODS",
    "Trial",
    "grid",
    "over_workers",
    "own_record",
    "run_trials",
    "same_experiment",
    "shipped_records",
    "summarise",
    "table_of_runs",
    "trial_settings",
    "variations",
    "workers",
]
