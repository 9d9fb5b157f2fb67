"""Low-rank adapters beside full fine-tuning: accuracy, time and trained parameters, for lesson 09.

Both train the bundled checkpoint with the same Trainer, batches and epochs on the training sentences of the snippets
that are left when 2,500 are held out. Each way gets two learning rates; the best one with seed 100 on the held-out
sentences of another split is kept for the three seeds that are reported. Neither the test split nor the sealed one is
read. LoRA adds matrices of rank 8 to the projections of queries and values, as its authors did, and trains the pooler
and the classifier besides (Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022).

python benchmarks/lora.py IMDB_FOLDER        25 minutes on two cores (IMDB itself is not read)
"""

import statistics
import tempfile
import time
from typing import Any

import numpy as np
from bench import HERE, arguments, measure
from candidates import split

from sentiment_lib.evaluation.predictions import packed, unpacked
from sentiment_lib.evaluation.uncertainty import crossed_interval
from sentiment_lib.run.files import write_json

RATES = {"full": (1e-4, 2e-4), "LoRA": (1e-3, 3e-3)}
RANK, HELD, CHOOSING, SEEDS = 8, 2500, 100, range(3)


def run(way: str, rate: float, seed: int, scale: float) -> dict[str, Any]:
    """Train in one way, and classify the held-out sentences."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    from sentiment_lib import Classifier, initialize_model_and_tokenizer, make_settings
    from sentiment_lib.data import encode_dataset
    from sentiment_lib.model.pretrained import quiet_transformers

    settings = make_settings("quick")
    train, held_out = split("snippets", None, int(HELD * scale))
    if seed == CHOOSING:  # the reported sentences play no part
        parts = train.train_test_split(test_size=0.2, seed=CHOOSING)
        train, held_out = parts["train"], parts["test"]
    train = train.select(range(int(len(train) * scale)))
    model, tokenizer = initialize_model_and_tokenizer(dropout=0.0, seed=seed)
    adapted = with_adapters(model) if way == "LoRA" else model
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        options = TrainingArguments(
            folder,
            num_train_epochs=2,
            learning_rate=rate,
            per_device_train_batch_size=32,
            warmup_steps=0.1,
            weight_decay=0.01,
            train_sampling_strategy="group_by_length",
            seed=seed,
            use_cpu=True,
            disable_tqdm=True,
            report_to="none",
            save_strategy="no",
        )
        began = time.perf_counter()
        Trainer(
            adapted,
            options,
            train_dataset=encode_dataset(train, tokenizer, **settings.encoding).remove_columns("length"),
            data_collator=DataCollatorWithPadding(tokenizer),
        ).train()
        seconds = time.perf_counter() - began
    probabilities = Classifier(adapted.eval(), tokenizer, settings.encoding).predict(held_out["text"])
    right = (probabilities >= 0.5) == np.array(held_out["label"])
    parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    return {
        "train": len(train),
        "held_out": len(held_out),
        "seconds": seconds,
        "trained": sum(parameter.numel() for parameter in parameters),
        "accuracy": float(right.mean()),
        "right": packed(right),
    }


def with_adapters(model):
    """The model with low-rank adapters; the pooler and the classifier are trained as well."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type="SEQ_CLS",
        r=RANK,
        lora_alpha=2 * RANK,
        target_modules=["query", "value"],
        modules_to_save=["pooler", "classifier"],
    )
    return get_peft_model(model, config)


def beside_each_other(measurements: list[dict]) -> dict:
    """Both ways with their accuracy and seconds, and the difference LoRA minus full."""
    ways, right = [], {}
    for way in RATES:
        rows = [row for row in measurements if row["job"]["way"] == way and row["job"]["seed"] != CHOOSING]
        right[way] = np.stack([unpacked(row["right"], row["held_out"]) for row in rows])
        ways.append(
            {
                "way": way,
                "rate": rows[0]["job"]["rate"],
                "trained": rows[0]["trained"],
                "accuracy": crossed_interval(right[way]).to_dict(),
                "seconds": statistics.median(row["seconds"] for row in rows),
            }
        )
    return {
        "train": rows[0]["train"],
        "held_out": rows[0]["held_out"],
        "seeds": len(rows),
        "rank": RANK,
        "ways": ways,
        "difference": crossed_interval(right["LoRA"] - right["full"]).to_dict(),
    }


def main() -> None:
    """Run the measurements that are not on record yet: first those that choose, then those that are reported."""
    options = arguments(__doc__)
    scale, seeds = (0.02, SEEDS[:2]) if options.small else (1.0, SEEDS)
    choosing = [
        {"way": way, "rate": rate, "seed": CHOOSING, "scale": scale} for way, rates in RATES.items() for rate in rates
    ]
    found = measure("lora", run, choosing, options.small)
    best = {
        way: max((row for row in found if row["job"]["way"] == way), key=lambda row: row["accuracy"]) for way in RATES
    }
    jobs = [
        {"way": way, "rate": best[way]["job"]["rate"], "seed": seed, "scale": scale} for seed in seeds for way in RATES
    ]
    measurements = measure("lora", run, choosing + jobs, options.small)
    if not options.small:  # for lesson 09
        write_json(HERE.parent / "data" / "measured" / "lora.json", [beside_each_other(measurements)])


if __name__ == "__main__":
    main()
