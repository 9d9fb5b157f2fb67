"""What brings what: from the Trainer's defaults to this workbook's training, one change at a time, at 256 tokens.

Reviews a second over whole steps, the first ones left out. Each row has all changes of the rows above it. Below them,
changes that were tried and are not in use.

python benchmarks/levers.py IMDB_FOLDER        12 minutes on two cores
"""

import time
from contextlib import ExitStack
from pathlib import Path

from bench import arguments, measure, peak_memory, reviews

# name: what changes, from there on
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
START = {
    "grouped": False, "dropout": 0.1, "bf16": False, "attention": "sdpa", "keep_memory": False, "batch": 8,
    "first_token": False, "frozen": False, "optim": "adamw_torch_fused", "residual": False, "compiled": False,
}  # fmt: skip
LENGTH = 256


def speed(change: str, turn: int, imdb: Path, count: int) -> dict:
    """Reviews a second with this change and all above it."""
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

    from sentiment_lib.model.allocator import keep_freed_memory
    from sentiment_lib.model.encoder import bfloat16_hidden_states, first_token_only
    from sentiment_lib.model.lean_attention import register_lean_attention
    from sentiment_lib.model.pretrained import bundled_checkpoint

    how = dict(START)
    for name, values in STEPS.items():
        how |= values
        if name == change:
            break
    how |= TRIED.get(change, {})
    if how["keep_memory"]:
        keep_freed_memory()
    register_lean_attention()
    place = bundled_checkpoint()
    model = AutoModelForSequenceClassification.from_pretrained(
        place,
        num_labels=2,
        hidden_dropout_prob=how["dropout"],
        attention_probs_dropout_prob=how["dropout"],
        attn_implementation=how["attention"],
    )
    tokenizer = AutoTokenizer.from_pretrained(place)
    if how["frozen"]:
        model.bert.embeddings.requires_grad_(False)
    if how["compiled"]:
        model.compile(dynamic=True)
    rows = reviews(imdb, "train", count)
    padding = False if how["grouped"] else "max_length"
    tokens = tokenizer(list(rows["text"]), padding=padding, max_length=LENGTH, truncation=True)
    columns = {**tokens, "label": list(rows["label"])}
    if how["grouped"]:
        columns["length"] = [len(ids) for ids in tokens["input_ids"]]
    pad = DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8)

    class Clock(TrainerCallback):
        at: list = []  # noqa: RUF012

        def on_step_end(self, args, state, control, **_):
            self.at.append(time.perf_counter())

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir="unused",
            num_train_epochs=1 + how["compiled"],  # compiling for new shapes ends in the first
            per_device_train_batch_size=how["batch"],
            train_sampling_strategy="group_by_length" if how["grouped"] else "random",
            remove_unused_columns=False,
            bf16=how["bf16"],
            use_cpu=True,
            optim=how["optim"],
            disable_tqdm=True,
            save_strategy="no",
            report_to="none",
        ),
        train_dataset=Dataset.from_dict(columns),
        data_collator=lambda batch: pad([{k: v for k, v in row.items() if k != "length"} for row in batch]),
        callbacks=[Clock],
    )
    torch.manual_seed(0)
    with ExitStack() as around:
        if how["first_token"]:
            around.enter_context(first_token_only(model))
        if how["residual"]:
            around.enter_context(bfloat16_hidden_states(model))
        trainer.train()
    at = Clock.at[len(Clock.at) // 2 if how["compiled"] else len(Clock.at) // 10 :]
    return {"reviews_per_second": (len(at) - 1) * how["batch"] / (at[-1] - at[0]), "peak_mb": peak_memory()}


def main() -> None:
    """Measure what is not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"change": change, "turn": turn, "imdb": options.imdb, "count": 48 if options.small else 240}
        for turn in range(1 if options.small else 2)
        for change in (*STEPS, *TRIED)
    ]
    measure("levers", speed, jobs, options.small)


if __name__ == "__main__":
    main()
