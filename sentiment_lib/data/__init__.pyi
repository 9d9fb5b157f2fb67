from .hub import fetch, hub_error
from .labels import LABEL_NAMES, map_labels
from .preparation import (
    DataSummary,
    clean_text,
    example_reviews,
    fingerprint,
    load_and_prepare_dataset,
    prepare,
    training_subset,
)
from .sources import fetch_snippets, read_source
from .splits import load_dataset, save_dataset
from .tables import existing_path, read_table, table_parts
from .tokenization import encode, encode_dataset, encode_with_words, token_lengths

__all__ = [
    "LABEL_NAMES",
    "DataSummary",
    "clean_text",
    "encode",
    "encode_dataset",
    "encode_with_words",
    "example_reviews",
    "existing_path",
    "fetch",
    "fetch_snippets",
    "fingerprint",
    "hub_error",
    "load_and_prepare_dataset",
    "load_dataset",
    "map_labels",
    "prepare",
    "read_source",
    "read_table",
    "save_dataset",
    "table_parts",
    "token_lengths",
    "training_subset",
]
