from .environment import versions
from .files import check_writable, replacing, sha256, write_json
from .locks import only_one
from .paths import RunPaths, data_dir, home, lessons_dir, short_path
from .processes import first_goes_first, is_first, join_processes, process_count, process_number, wait_for_all
from .progress import library_bars, progress_bar, progress_wanted

__all__ = [
    "RunPaths",
    "check_writable",
    "data_dir",
    "first_goes_first",
    "home",
    "is_first",
    "join_processes",
    "lessons_dir",
    "library_bars",
    "only_one",
    "process_count",
    "process_number",
    "progress_bar",
    "progress_wanted",
    "replacing",
    "sha256",
    "short_path",
    "versions",
    "wait_for_all",
    "write_json",
]
