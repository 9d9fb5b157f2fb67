"""Fine-tuning with the Hugging Face Trainer. Taught in lesson 03."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.preparation import fingerprint
from ..data.tokenization import encode_dataset, padding_multiple
from ..errors import DataError, SettingsError
from ..run.files import check_writable, hidden_sibling, replacing, write_json
from ..run.locks import only_one
from ..run.paths import RunPaths, short_path
from ..run.processes import first_goes_first, is_first, join_processes, process_count, wait_for_all
from ..run.progress import progress_wanted, training_progress
from ..settings import Settings
from .compute import choose_compute, keep_freed_memory
from .encoder import bfloat16_hidden_states, first_token_only
from .pretrained import initialize_model_and_tokenizer, quiet_transformers, train_only

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback


@dataclass
class TrainingResult:
    """What a training run did.

    Attributes
    ----------
    history : pandas.DataFrame
        One row per logged step: ``step``, ``epoch``, ``loss`` (mean training loss since the previous row),
        ``learning_rate``, ``validation_loss``, ``validation_accuracy``; NaN where something was not measured.
    examples, steps : int
        Training reviews, and optimiser steps taken.
    seconds : float
        Wall time of training, evaluations and checkpoints, without loading and tokenisation; after a resumption,
        only the time since then.
    examples_per_second : float
        Training reviews processed per second, over the epochs run in ``seconds``.
    best_step : int or None
        Step of the checkpoint that was kept, chosen on the validation split.
    resumed_from : str or None
        The checkpoint that this run resumed from.
    data : str
        The :func:`fingerprint` of the training reviews, and of the validation reviews if `dataset` had them.
    """

    history: pd.DataFrame
    examples: int
    steps: int
    seconds: float
    examples_per_second: float
    best_step: int | None
    resumed_from: str | None
    data: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, ready for JSON."""
        history = self.history.astype(object).where(self.history.notna(), None)
        return asdict(self) | {"history": history.to_dict("records")}


def fine_tune(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    dataset: DatasetDict,
    settings: Settings,
    *,
    output_dir: Path | None = None,
    resume: bool = True,
    validate: bool = True,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainingResult:
    """Fine-tune `model` in place on ``dataset["train"]`` and save the best checkpoint.

    The validation split selects the checkpoint (``settings.best_by``) and may stop training early; the test split is
    not used. Batches hold reviews of similar length, padded to the longest of the batch. Under ``torchrun``, each
    process takes its share of every batch, and the first process writes.

    Parameters
    ----------
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    dataset : datasets.DatasetDict
        From :func:`sentiment_lib.load_and_prepare_dataset`; only train and validation are used.
    settings : Settings
    output_dir : pathlib.Path, optional
        Where the model is saved. Default: ``results/<run>/model``. Checkpoints are kept in a hidden folder next to it
        (``.model.checkpoints``) and deleted at the end.
    resume : bool
        Resume from the last complete checkpoint of an interrupted run with the same settings, if there is one. The
        result is the same as without the interruption.
    validate : bool
        False: train without the validation split and keep the final weights.
    callbacks : sequence of transformers.TrainerCallback
        Called at every step, evaluation and checkpoint, for measurements of your own.

    Raises
    ------
    SettingsError
        When the batch cannot be divided among the processes.
    BusyError
        When another process is training to the same folder.
    StorageError
        When there is no room for model and checkpoints, or no permission to write them; before training where possible.
    """
    from transformers import EarlyStoppingCallback

    from ._trainer import QuietTrainer, epochs_done, unprepared_afterwards
    from .callbacks import CompleteCheckpoints, GrowingInputs, last_checkpoint, remove_checkpoints

    output_dir = Path(output_dir or settings.paths.model)
    share_of_batch(settings)
    join_processes(choose_compute(settings.device).device)
    trained = train_only(model, settings.trained_layers)
    with ExitStack() as stack:
        if is_first():
            remedy = "Wait for it, or train under another name."
            stack.enter_context(only_one(output_dir, f"The model {short_path(output_dir)}", remedy))
            check_writable(output_dir.parent, needed=bytes_needed(model, trained))

        checkpoints = hidden_sibling(output_dir, "checkpoints")
        train = encode_dataset(dataset["train"], tokenizer, **settings.encoding)
        validation = encode_dataset(dataset["validation"], tokenizer, **settings.encoding) if validate else None
        splits = [dataset[name] for name in ("train", "validation") if name in dataset]
        made_with = settings.affecting("training", "validation") | {"data": fingerprint(splits)}
        with first_goes_first():  # the others find the same checkpoint and have nothing to delete
            last = last_checkpoint(checkpoints, made_with, resume)
        epochs_before = epochs_done(last) if last else 0

        callbacks = [*callbacks, *([training_progress()] if progress_wanted() else [])]
        if settings.early_stopping and validate:
            callbacks.append(EarlyStoppingCallback(settings.early_stopping))
        collator = Collator(tokenizer)
        if settings.first_length is not None:
            callbacks.append(GrowingInputs(collator, tokenizer, settings.encoding, settings.first_length))
        callbacks.append(CompleteCheckpoints())
        trainer = QuietTrainer(
            model=model,
            args=_training_arguments(settings, checkpoints, len(train), validate),
            train_dataset=train,
            eval_dataset=validation,
            data_collator=collator,
            compute_metrics=lambda p: {"accuracy": float((np.argmax(p.predictions, axis=1) == p.label_ids).mean())},
            processing_class=tokenizer,
            callbacks=callbacks,
        )
        if trainer.args.device.type == "cpu":
            keep_freed_memory()
        with quiet_transformers():
            with unprepared_afterwards(model), first_token_only(model), bfloat16_hidden_states(model):
                output = trainer.train(resume_from_checkpoint=str(last) if last else None)
            model.eval()
            if is_first():
                save_model(model, tokenizer, output_dir)
                remove_checkpoints(checkpoints)
            wait_for_all()
        state, names = trainer.state, {"eval_loss": "validation_loss", "eval_accuracy": "validation_accuracy"}
        logged = pd.DataFrame([entry for entry in state.log_history if "train_runtime" not in entry])
        columns = ["step", "epoch", "loss", "learning_rate", *names.values()]
        history = logged.rename(columns=names).reindex(columns=columns)
        return TrainingResult(
            history=history.groupby("step", as_index=False).first(),
            examples=len(train),
            steps=state.global_step,
            seconds=output.metrics["train_runtime"],
            examples_per_second=len(train) * (state.epoch - epochs_before) / output.metrics["train_runtime"],
            best_step=state.best_global_step,
            resumed_from=short_path(last) if last else None,
            data=made_with["data"],
        )


def starting_model(settings: Settings) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The checkpoint of the settings with a new head, where and how they say that it computes; and its tokenizer."""
    return initialize_model_and_tokenizer(
        settings.model,
        revision=settings.model_revision,
        dropout=settings.dropout,
        compute=choose_compute(settings.device, settings.precision, settings.attention),
        seed=settings.seed,
    )


def fine_tune_unsaved(model: PreTrainedModel, tokenizer: Any, reviews: Dataset, settings: Settings) -> TrainingResult:
    """:func:`fine_tune` on all reviews, without validation, and without a trace on disk."""
    with TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        return fine_tune(model, tokenizer, {"train": reviews}, settings, output_dir=place, resume=False, validate=False)


def bytes_needed(model: PreTrainedModel, trained: int) -> int:
    """Disk space for the model and three checkpoints (latest, best, and the one being written).

    A checkpoint holds all weights and, for each of the `trained` ones, two float32 moments of AdamW.
    """
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    return 4 * weights + 3 * 2 * 4 * trained


def share_of_batch(settings: Settings) -> int:
    """Number of reviews of a batch that each process takes; a SettingsError if it cannot be divided among them."""
    share, rest = divmod(settings.batch_size, process_count())
    if rest or not share:
        raise SettingsError(
            f"batch_size={settings.batch_size} cannot be divided among {process_count()} processes; "
            f"use a multiple, such as {(share + 1) * process_count()}."
        )
    return share


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    """Save both to `folder`; an older model is replaced only by a complete one."""
    with replacing(folder) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    return folder


def _training_arguments(settings: Settings, checkpoints: Path, examples: int, validate: bool):
    from ._trainer import OneDeviceArguments

    intervals: dict[str, Any] = {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True}
    if not validate:  # checkpoints only if training takes minutes
        intervals = {"eval_strategy": "no", "save_strategy": "steps", "save_steps": 500}
    compute = choose_compute(settings.device, settings.precision, settings.attention)
    return OneDeviceArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=share_of_batch(settings),
        per_device_eval_batch_size=max(32, settings.batch_size),
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup,
        seed=settings.seed,
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        use_cpu=compute.device == "cpu",
        bf16=compute.precision == "bfloat16",
        **intervals,
        metric_for_best_model=settings.best_by,
        logging_steps=max(1, math.ceil(examples / settings.batch_size) // 10),
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=compute.device == "cuda",
        optim="adamw_torch_fused",
    )


class Collator:
    """Pads reviews to a batch, after `shorten` (from :func:`sentiment_lib.data.tokenization.shortening`, or None)."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        from transformers import DataCollatorWithPadding

        self.shorten: Callable[[list[int]], list[int]] | None = None
        self._pad = DataCollatorWithPadding(tokenizer, pad_to_multiple_of=padding_multiple(tokenizer))

    def __call__(self, rows: Sequence[dict[str, Any]]) -> Any:
        """A batch of rows of :func:`sentiment_lib.data.encode_dataset`, as tensors of shape ``(reviews, tokens)``."""
        rows = [{name: value for name, value in row.items() if name != "length"} for row in rows]
        if self.shorten is not None:
            rows = [row | {"input_ids": self.shorten(row["input_ids"])} for row in rows]
        return self._pad(rows)


def save_training(result: TrainingResult, settings: Settings) -> Path:
    """Write ``training.json``: the result and the settings, which later lessons and ``predict`` need."""
    return write_json(settings.paths.training, {"settings": settings.to_dict(), **result.to_dict()})


def load_training(paths: RunPaths) -> dict[str, Any]:
    """What :func:`save_training` wrote, or a MissingResult if lesson 03 has not been run."""
    return json.loads(paths.require(paths.training, "03").read_text(encoding="utf-8"))


def trained_model(settings: Settings, dataset: DatasetDict | None = None) -> tuple[PreTrainedModel, Any]:
    """The run's model from lesson 03, ready to predict, and its tokenizer.

    Parameters
    ----------
    dataset : datasets.DatasetDict, optional
        The run's splits, to make sure that the model was trained on them.

    Raises
    ------
    MissingResult
        When lesson 03 has not been run.
    SettingsError
        When it was run with settings that lead to another model; the message names them.
    DataError
        When the model was trained on other reviews than those of `dataset`.
    """
    known = check_trained(settings).get("data")
    if dataset is not None and known and known != fingerprint([dataset["train"], dataset["validation"]]):
        raise DataError(
            f"The model of run {settings.run!r} was trained on other reviews than those that lesson 01 has prepared "
            "since. Run lesson 03 again first."
        )
    compute = choose_compute(settings.device)
    return initialize_model_and_tokenizer(str(settings.paths.require(settings.paths.model, "03")), compute=compute)


def check_trained(settings: Settings) -> dict[str, Any]:
    """What :func:`load_training` returns; a SettingsError if it was another model that these settings lead to."""
    training = load_training(settings.paths)
    if differences := settings.differences(training["settings"], "data", "training", "validation"):
        raise SettingsError(
            f"The model of run {settings.run!r} was trained with other settings: {differences}. Run lesson 03 again, "
            "or give what you try out a run name of its own."
        )
    return training
