"""Folders and repositories that are nearly a model, and what to do with them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

_WEIGHTS = {"model.safetensors", "model.safetensors.index.json"}
_TOKENIZERS = {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model"}
_OTHER_FRAMEWORKS = {"tf_model.h5": "from_tf", "flax_model.msgpack": "from_flax"}


def files_in(folder: Path) -> set[str]:
    """The files in a folder and its subfolders, but no deeper, as ``name`` or ``subfolder/name``."""
    found = (path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found}


def is_complete(files: Collection[str]) -> bool:
    """Whether there are a configuration and weights that can be loaded."""
    return "config.json" in files and not _WEIGHTS.isdisjoint(files)


def what_it_is(files: Collection[str], name: str, folder: Path, on_hub: bool = False) -> str:
    """What a folder or repository that is not complete holds instead of a model, and what to do about it.

    `files` are those of :func:`files_in`, or a repository's list. `name` is as the user gave it, and `on_hub` says
    whether it is a repository; what is there of it on this machine is in `folder`.
    """
    for found in (_adapter, _checkpoints, _subfolders, _pickled, _other_formats):
        if (text := found(set(files), name, folder, on_hub)) is not None:
            return text
    top = sorted(file for file in files if "/" not in file)
    if "config.json" in files:
        others = [file for file in top if file.endswith(".safetensors")]
        kept = f"; {', '.join(others)} is not a name that transformers reads" if others else ""
        return f"{name!r} has a config.json, but no weights (model.safetensors){kept}."
    if not _WEIGHTS.isdisjoint(files):
        return f"{name!r} has weights, but no config.json, which says what kind of model they are of."
    if not _TOKENIZERS.isdisjoint(files):
        return f"{name!r} holds a tokenizer only. Give the model that it belongs to: config.json and model.safetensors."
    shown = f"It holds {', '.join(top[:5])}{' and others' if len(top) > 5 else ''}." if top else "It holds no files."
    return f"{name!r} is not a model: config.json and model.safetensors are missing. {shown}"


def _adapter(files: set[str], name: str, folder: Path, _: bool) -> str | None:
    if "adapter_config.json" not in files:
        return None
    base = _read(folder / "adapter_config.json").get("base_model_name_or_path") or "the base model"
    return (
        f"{name!r} holds an adapter (LoRA or another of PEFT's), not a complete model. Merge it into its base model "
        "first, and give the merged folder:\n\n"
        "    from peft import PeftModel\n"
        "    from transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n"
        f"    base = AutoModelForSequenceClassification.from_pretrained({base!r}, num_labels=2)\n"
        f"    PeftModel.from_pretrained(base, {name!r}).merge_and_unload().save_pretrained('merged')\n"
        f"    AutoTokenizer.from_pretrained({base!r}).save_pretrained('merged')\n"
    )


def _checkpoints(files: set[str], name: str, folder: Path, on_hub: bool) -> str | None:
    found = {match[0] for file in files if (match := re.match(r"checkpoint-\d+(?=/)", file))}
    if not found:
        return None
    steps = sorted(found, key=lambda checkpoint: int(checkpoint.partition("-")[2]))
    state = _read(folder / steps[-1] / "trainer_state.json")
    best = PurePosixPath(str(state.get("best_model_checkpoint") or "").replace("\\", "/")).name
    choice = f"{steps[-1]} is the newest"
    if best in found:
        choice = f"{best} was the best in validation, {choice}"
    where, download = _local(name, on_hub)
    return (
        f"{name!r} is the output folder of a Trainer, not a model. Give one of its checkpoints: {', '.join(steps)} "
        f"({choice}).{download} For example: {where}/{best if best in found else steps[-1]}"
    )


def _subfolders(files: set[str], name: str, _: Path, on_hub: bool) -> str | None:
    inside: dict[str, set[str]] = {}
    for file in files:
        subfolder, slash, rest = file.rpartition("/")
        if slash:
            inside.setdefault(subfolder, set()).add(rest)
    models = sorted(subfolder for subfolder, held in inside.items() if is_complete(held))
    if not models:
        return None
    where, download = _local(name, on_hub)
    choices = " or ".join(f"{where}/{model}" for model in models)
    return f"{name!r} is not a model, but holds one.{download} Give {choices}"


def _pickled(files: set[str], name: str, _: Path, on_hub: bool) -> str | None:
    if not any(re.fullmatch(r"pytorch_model(-\d+-of-\d+)?\.bin", file) for file in files):
        return None
    where, download = _local(name, on_hub)
    return (
        f"{name!r} has its weights as pytorch_model.bin. Such pickled weights are not read here, since they can hold "
        f"code.{download} This code writes them as model.safetensors, and runs no code that they hold:\n\n"
        "    from pathlib import Path\n"
        "    import torch\n"
        "    from safetensors.torch import save_file\n\n"
        f"    folder, weights = Path({where!r}), {{}}\n"
        "    for file in folder.glob('pytorch_model*.bin'):\n"
        "        weights |= torch.load(file, map_location='cpu', weights_only=True)\n"
        "    weights = {key: tensor.clone().contiguous() for key, tensor in weights.items()}  # tied weights, too\n"
        "    save_file(weights, folder / 'model.safetensors', metadata={'format': 'pt'})\n"
    )


def _other_formats(files: set[str], name: str, *_: object) -> str | None:
    if any(file.endswith(".gguf") for file in files):
        return (
            f"{name!r} holds weights in the format GGUF of llama.cpp, which cannot be trained. Give the model that "
            "they were made from."
        )
    for file, option in _OTHER_FRAMEWORKS.items():
        if file in files:
            return (
                f"{name!r} holds weights for another framework only ({file}). Convert them with transformers 4 and "
                f"that framework: AutoModelForSequenceClassification.from_pretrained({name!r}, {option}=True)"
                ".save_pretrained('converted')"
            )
    if any(file.endswith(".onnx") for file in files):
        return (
            f"{name!r} holds a model in the format ONNX, which computes predictions and cannot be trained. Give the "
            "model that it was exported from."
        )
    return None


def _local(name: str, on_hub: bool) -> tuple[str, str]:
    """Where the files are on this machine, and for a repository on the hub a sentence that says how they get there."""
    if not on_hub:
        return name.rstrip("/"), ""
    where = name.rpartition("/")[2]
    return where, f" Download it first (hf download {name} --local-dir {where})."


def _read(path: Path) -> dict[str, Any]:
    """The contents of a JSON file; nothing for a file that cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
