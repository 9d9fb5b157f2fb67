"""Which changes to the plain recipe pay for themselves, on held-out reviews.

The plain recipe is what BERT's authors did: cross-entropy, AdamW, a linear schedule. The candidates: the
regularisation that the preset `imdb` had before; inputs that grow from epoch to epoch (Press et al., Shortformer,
2021); the cross-validated probabilities of a linear model as soft labels beside the hard ones (Hinton et al.,
Distilling the Knowledge in a Neural Network, 2015); and BERT and the linear model together. On IMDB each is trained on
4,000 reviews, on the snippets on all that are left, with three seeds. The training reviews depend on the seed; all
recipes with the same seed get the same ones. All are compared on the same held-out reviews. Neither test split is read.

python benchmarks/candidates.py IMDB_FOLDER        two hours on two cores
"""

import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
from bench import arguments, measure, peak_memory

from sentiment_lib.evaluation.predictions import logit, packed

# recipe: the settings it changes, and what Candidate below does
RECIPES = {
    "plain": ({}, {}),
    "regularised": ({}, {"masking": 0.1, "smoothing": 0.1, "averaging": 0.99}),
    "soft labels": ({}, {"soft": 0.5}),
    "growing inputs": ({"epochs": 3.0, "first_length": 128}, {}),  # a third more time than two epochs with 512 tokens
}
CORPORA = {
    "imdb": {"max_length": 512, "epochs": 2.0, "held": 6000, "train": 4000},
    "snippets": {"held": 2500, "train": None},  # no growing inputs: sentences are far shorter than the 64 tokens
}


def run(corpus: str, recipe: str, seed: int, imdb: Path, scale: float) -> dict:
    """Train by a recipe; classify the held-out reviews with BERT, with the linear model and with both."""
    from datasets import Dataset, DatasetDict
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    from sentiment_lib import Classifier, fine_tune, initialize_model_and_tokenizer, make_settings
    from sentiment_lib.data.preparation import training_subset
    from sentiment_lib.model.baselines import fit_tfidf

    plan = dict(CORPORA[corpus])
    held, size = int(plan.pop("held") * scale), plan.pop("train")
    changes, behaviour = RECIPES[recipe]
    settings = make_settings(
        "imdb" if corpus == "imdb" else "quick", seed=seed, **({"first_length": None} | plan | changes)
    )
    train, held_out = split(corpus, imdb, held)
    size = int((size or len(train)) * scale)
    train = training_subset(train, size, seed)
    texts, labels = list(train["text"]), np.array(train["label"])
    held_texts, held_labels = list(held_out["text"]), np.array(held_out["label"])

    began = time.perf_counter()
    linear = fit_tfidf(texts, labels)
    linear_logits = logit(linear.predict_proba(held_texts)[:, 1])
    linear_seconds = time.perf_counter() - began
    if share := behaviour.get("soft"):
        labels = (1 - share) * labels + share * out_of_fold(linear, texts, labels)

    model, tokenizer = initialize_model_and_tokenizer(dropout=settings.dropout, seed=seed)
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.multiple("sentiment_lib.model._trainer", QuietTrainer=candidate(**behaviour)),
    ):
        splits = DatasetDict(train=Dataset.from_dict({"text": texts, "label": labels}))
        result = fine_tune(model, tokenizer, splits, settings, output_dir=Path(folder) / "model", validate=False)
    trained = time.perf_counter()
    logits = Classifier(model, tokenizer, settings.encoding).logits(held_texts)
    ended = time.perf_counter()

    both = np.column_stack([logits, linear_logits])
    folds = cross_val_predict(LogisticRegression(C=np.inf), both, held_labels, cv=10)  # no review weighs itself
    right = {"BERT": logits >= 0, "linear": linear_logits >= 0, "together": folds == 1}
    right = {name: decision == (held_labels == 1) for name, decision in right.items()}
    return {
        "train": len(texts),
        "held_out": len(held_texts),
        "training_seconds": trained - began,
        "prediction_seconds": ended - trained,
        "linear_seconds": linear_seconds,
        "reviews_per_second": result.examples_per_second,
        "accuracy": {name: float(decision.mean()) for name, decision in right.items()},
        "right": {name: packed(decision) for name, decision in right.items()},
        "peak_mb": peak_memory(),
    }


def split(corpus: str, imdb: Path, held: int):
    """Training and held-out reviews: those of the course's training and validation split, divided anew."""
    from sentiment_lib import make_settings
    from sentiment_lib.data.preparation import prepare

    source = {"source": str(imdb)} if corpus == "imdb" else {}
    settings = make_settings("imdb" if corpus == "imdb" else "quick", **source)
    everything = sum(len(part) for name, part in prepare(settings)[0].items() if name != "test")
    dataset, _ = prepare(make_settings(settings.preset, validation_size=held / everything, **source))
    return dataset["train"], dataset["validation"]


def out_of_fold(linear, texts, labels):
    """Each review's probability by the linear model, fitted on four fifths of the reviews that leave it out."""
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_predict

    return cross_val_predict(clone(linear), texts, labels, cv=5, method="predict_proba")[:, 1]


def candidate(soft: float = 0.0, masking: float = 0.0, smoothing: float = 0.0, averaging: float = 0.0):
    """A Trainer with soft labels or with regularisation.

    The regularisation: a share of the tokens is replaced by [MASK], a share of each label is spread over both, and a
    moving average of the weights is kept in the end. The average moves faster in the first steps.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits
    from torch.optim.swa_utils import AveragedModel
    from transformers import TrainerCallback

    from sentiment_lib.model._trainer import QuietTrainer

    def towards(average, weight, step):
        return average.lerp(weight, max(1 - averaging, 9 / (10 + float(step))))

    class Average(TrainerCallback):
        def on_train_begin(self, args, state, control, model, **_):
            self.average = AveragedModel(model, avg_fn=towards)
            self.average.update_parameters(model)  # the first call copies the weights

        def on_step_end(self, args, state, control, model, **_):
            self.average.update_parameters(model)

        def on_train_end(self, args, state, control, model, **_):
            model.load_state_dict(self.average.module.state_dict())

    class Candidate(QuietTrainer):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            if averaging:
                self.add_callback(Average)

        def compute_loss(self, model, inputs, *args, **options):
            if not (soft or masking or smoothing):
                return super().compute_loss(model, inputs, *args, **options)
            inputs = dict(inputs)
            labels = inputs.pop("labels").float() * (1 - smoothing) + smoothing / 2
            ids, tokenizer = inputs["input_ids"], self.processing_class
            special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
            hidden = (torch.rand(ids.shape) < masking) & ~special
            logits = model(**inputs | {"input_ids": ids.masked_fill(hidden, tokenizer.mask_token_id)}).logits.float()
            return binary_cross_entropy_with_logits(logits[:, 1] - logits[:, 0], labels)

    return Candidate


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    jobs = [
        {"corpus": corpus, "recipe": recipe, "seed": seed, "imdb": options.imdb, "scale": 0.02 if options.small else 1}
        for seed in (range(1) if options.small else range(3))
        for corpus in CORPORA
        for recipe in RECIPES
        if (corpus, recipe) != ("snippets", "growing inputs")
    ]
    measure("candidates", run, jobs, options.small)


if __name__ == "__main__":
    main()
