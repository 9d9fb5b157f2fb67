"""What the lessons need from a model and from reviews, checked before the first lesson runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..attention.maps import attention_maps
from ..data.preparation import prepare
from ..data.tokenization import readable_tokens
from ..errors import DataError, ModelError, SettingsError
from ..model.architectures import model_limits
from ..model.compute import choose_compute
from ..model.pretrained import initialize_model_and_tokenizer, train_only
from ..settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LEAST_LAYERS = 2  # lesson 08 trains the last two
_TEXT = "A good film, and not a bad one."


def check_run(settings: Settings) -> list[str]:
    """Check that all lessons can use the model and the reviews of a run.

    The model is loaded, from the hub if need be, and reads one sentence. The reviews are read and
    split as in lesson 01.

    Returns
    -------
    list of str
        What was read, dropped and kept; then what the lessons show differently for this model than for a BERT.

    Raises
    ------
    ModelError
        If a lesson cannot use the model.
    SettingsError
        If the settings do not fit the model or this machine.
    DataError
        If the reviews cannot be read or used.
    HubUnreachable
        For a hub model that is not cached, when the hub does not answer.
    """
    choose_compute(settings.device, settings.precision, settings.attention)
    model, tokenizer = initialize_model_and_tokenizer(
        settings.model, revision=settings.model_revision, compute=choose_compute("cpu", "float32")
    )
    _check_tokenizer(tokenizer, settings)
    _check_model(model, settings)
    attention_maps(_TEXT, model, tokenizer)
    return [_check_reviews(settings), *model_limits(model.config)]


def _check_tokenizer(tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
    if not tokenizer.is_fast:
        raise ModelError(
            f"The tokenizer of {settings.model!r} does not say which characters a token stands for; lessons 06 and 07 "
            "need that. Use a model whose folder has a tokenizer.json."
        )
    if settings.max_length > tokenizer.model_max_length:
        raise SettingsError(
            f"max_length={settings.max_length}, but {settings.model!r} reads at most {tokenizer.model_max_length} "
            f"tokens. Use --set max_length={tokenizer.model_max_length}, or another model."
        )
    words = readable_tokens(_TEXT, tokenizer).words
    if words[0] >= 0 or words[1] < 0 or words[-1] >= 0:
        raise ModelError(
            f"The tokenizer of {settings.model!r} does not put one special token before a text and one after it, as "
            "BERT does with [CLS] and [SEP]; lessons 06 and 07 need them. Use another model."
        )


def _check_model(model: PreTrainedModel, settings: Settings) -> None:
    layers = model.config.num_hidden_layers
    if layers < LEAST_LAYERS:
        raise ModelError(f"{settings.model!r} has {layers} layer, but lesson 08 trains the last {LEAST_LAYERS}.")
    if (settings.trained_layers or 0) > layers:
        raise SettingsError(
            f"trained_layers={settings.trained_layers}, but {settings.model!r} has {layers} layers. Use a smaller "
            "number, or none to train everything."
        )
    train_only(model, settings.trained_layers)  # refuses some of the layers of a model whose layers share weights


def _check_reviews(settings: Settings) -> str:
    dataset, summary = prepare(settings)
    if sum(len(text.split()) > 1 for text in dataset["test"]["text"]) < 2:
        raise DataError(
            f"Hardly any test review of {settings.source} has two words with a space between them. Lessons 04 and 07 "
            "take single words out of reviews. Put spaces between the words."
        )
    return summary.describe()
