"""Time and memory of the two large computations of lesson 07.

Times all statistics of all heads, and the effect of silencing each head, on 500 validation sentences of the run
`quick`; then measures the peak memory of the statistics for 500 to 4,000 training sentences. Needs lessons 01 to 03
(``make run``).

python benchmarks/heads.py        3 minutes on two cores
"""

import resource
import time

from sentiment_lib import Classifier, initialize_model_and_tokenizer
from sentiment_lib.attention.heads import silence_each
from sentiment_lib.attention.statistics import head_statistics
from sentiment_lib.data.preparation import load_dataset
from sentiment_lib.settings import make_settings


def main() -> None:
    """Measure and print."""
    settings = make_settings("quick")
    model, tokenizer = initialize_model_and_tokenizer(str(settings.paths.require(settings.paths.model, "03")))
    classifier = Classifier(model, tokenizer, settings.encoding, batch_size=32)
    dataset = load_dataset(settings)
    sentences = dataset["validation"][:500]
    for _ in range(3):
        began = time.perf_counter()
        head_statistics(sentences["text"], classifier)
        print(f"statistics of {len(sentences['text'])} sentences: {time.perf_counter() - began:.1f} s", flush=True)
    for count in (500, 1000, 2000, 4000):
        head_statistics(dataset["train"]["text"][:count], classifier)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of the process after statistics of {count} sentences: {peak:.0f} MB", flush=True)
    for _ in range(3):
        began = time.perf_counter()
        effects = silence_each(sentences["text"], sentences["label"], classifier)
        print(
            f"{effects.importance.size} heads silenced, one at a time: {time.perf_counter() - began:.1f} s", flush=True
        )


if __name__ == "__main__":
    main()
