"""The gain of each optimisation: from a plain use of the Trainer to this workbook's training, one change at a time.

Reviews per second over complete steps at 256 tokens, without the first tenth. Each row includes the changes of
all rows above it. Changes that were tried and are not in use follow below them.

python benchmarks/levers.py IMDB_FOLDER        12 minutes on two cores
"""

import time
from contextlib import ExitStack
from pathlib import Path

from bench import arguments, measure, peak_memory, reviews

# name: changes in this row and all rows below it
STEPS = {
    "Trainer's defaults: float32, padded to 256, batch 8": {},
    "batches of similar length, padded to their longest": {"grouped": True},
    "no dropout": {"dropout": 0.0},
    "bfloat16 products": {"bf16": True},
    "eager attention instead of SDPA": {"attention": "eager"},
    "freed memory kept": {"keep_memory": True},
    "batches of 16": {"batch": 16},
    "lean attention": {"attention": "lean"},
    "last layer for [CLS] only": {"first_token": True},
    "bfloat16 from layer to layer": {"residual": True},
}
TRIED = {
    "float32 products": {"bf16": False},
    "word embeddings frozen": {"frozen": True},
    "PyTorch's loop AdamW instead of the fused one": {"optim": "adamw_torch"},
    "batches of 32": {"batch": 32},
    "torch.compile (after compiling)": {"compiled": True},
}
BASELINE = {
    "grouped": False, "dropout": 0.1, "bf16": False, "attention": "sdpa", "keep_memory": False, "batch": 8,
    "first_token": False, "frozen": False, "optim": "adamw_torch_fused", "residual": False, "compiled": False,
}  # fmt: skip
LENGTH = 256


def speed(change: str, turn: int, imdb: Path, count: int) -> dict:
    """Reviews per second with this change and all above it."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )  # fmt: skip

    from sentiment_lib.model.compute import keep_freed_memory
    from sentiment_lib.model.encoder import bfloat16_hidden_states, first_token_only
    from sentiment_lib.model.lean_attention import register_lean_attention
    from sentiment_lib.model.pretrained import bundled_checkpoint

    config = dict(BASELINE)
    for name, values in STEPS.items():
        config |= values
        if name == change:
            break
    config |= TRIED.get(change, {})
    if config["keep_memory"]:
        keep_freed_memory()
    register_lean_attention()
    checkpoint = bundled_checkpoint()
    model = AutoModelForSequenceClassification.from_pretrained(
        checkpoint,
        num_labels=2,
        hidden_dropout_prob=config["dropout"],
        attention_probs_dropout_prob=config["dropout"],
        attn_implementation=config["attention"],
    )
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    if config["frozen"]:
        model.bert.embeddings.requires_grad_(False)
    if config["compiled"]:
        model.compile(dynamic=True)
    rows = reviews(imdb, "train", count)
    padding = False if config["grouped"] else "max_length"
    tokens = tokenizer(list(rows["text"]), padding=padding, max_length=LENGTH, truncation=True)
    columns = {**tokens, "label": list(rows["label"])}
    if config["grouped"]:
        columns["length"] = [len(ids) for ids in tokens["input_ids"]]
    pad = DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8)

    class Clock(TrainerCallback):
        times: list = []  # noqa: RUF012

        def on_step_end(self, args, state, control, **_):
            self.times.append(time.perf_counter())

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir="unused",
            num_train_epochs=1 + config["compiled"],  # new shapes are compiled in the first epoch only
            per_device_train_batch_size=config["batch"],
            train_sampling_strategy="group_by_length" if config["grouped"] else "random",
            remove_unused_columns=False,
            bf16=config["bf16"],
            use_cpu=True,
            optim=config["optim"],
            disable_tqdm=True,
            save_strategy="no",
            report_to="none",
        ),
        train_dataset=Dataset.from_dict(columns),
        data_collator=lambda batch: pad([{k: v for k, v in row.items() if k != "length"} for row in batch]),
        callbacks=[Clock],
    )
    torch.manual_seed(0)
    with ExitStack() as stack:
        if config["first_token"]:
            stack.enter_context(first_token_only(model))
        if config["residual"]:
            stack.enter_context(bfloat16_hidden_states(model))
        trainer.train()
    times = Clock.times[len(Clock.times) // 2 if config["compiled"] else len(Clock.times) // 10 :]
    return {"reviews_per_second": (len(times) - 1) * config["batch"] / (times[-1] - times[0]), "peak_mb": peak_memory()}


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"change": change, "turn": turn, "imdb": options.imdb, "count": 48 if options.small else 240}
        for turn in range(1 if options.small else 2)
        for change in (*STEPS, *TRIED)
    ]
    measure("levers", speed, jobs, options.small)


if __name__ == "__main__":
    main()
