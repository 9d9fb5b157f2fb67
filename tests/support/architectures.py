"""Tiny random checkpoints of each supported architecture, with a tokenizer of the kind that real ones have."""

import csv
import string
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from . import CHECKOUT

LAYERS, HEADS, HIDDEN = 3, 4, 32
_BERT = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": 64}
_SIZES = _BERT | {"max_position_embeddings": 128, "initializer_range": 0.2}
_ROBERTA = _SIZES | {"max_position_embeddings": 130, "type_vocab_size": 1}
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": _SIZES,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "data2vec-text": _ROBERTA,
    "roberta-prelayernorm": _ROBERTA,
    "xlm-roberta-xl": _ROBERTA,
    "ernie": _SIZES,
    "megatron-bert": _SIZES,
    "rembert": _SIZES | {"input_embedding_size": 16, "output_embedding_size": 16},
    "distilbert": {
        "dim": HIDDEN,
        "n_layers": LAYERS,
        "n_heads": HEADS,
        "hidden_dim": 64,
        "max_position_embeddings": 128,
        "initializer_range": 0.2,
    },
    "electra": _SIZES | {"embedding_size": 16},
    "albert": _SIZES | {"embedding_size": 16},
    "mpnet": _SIZES | {"max_position_embeddings": 130},
    "deberta-v2": _SIZES  # like DeBERTa-v3
    | {
        "type_vocab_size": 0,
        "relative_attention": True,
        "position_buckets": 16,
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
        "pos_att_type": ["p2c", "c2p"],
        "pooler_hidden_size": HIDDEN,
    },
    "modernbert": _SIZES
    | {
        "local_attention": 8,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        "classifier_pooling": "mean",
    },
}
ARCHITECTURES = tuple(CONFIGS)  # all that are supported
# those with which the whole series is tried
SERIES = ("bert", "roberta", "xlm-roberta", "distilbert", "electra", "albert", "mpnet", "deberta-v2", "modernbert")


def tiny_checkpoint(
    model_type: str, folder: Path, *, labels: Sequence[str] | None = None, seed: int = 0, **changes: Any
) -> Path:
    """Save a random model of 3 layers x 4 heads and its tokenizer (about 400 tokens) to `folder`, which is returned.

    Parameters
    ----------
    model_type : str
        One of :data:`ARCHITECTURES`, the names that transformers uses.
    labels : sequence of str, optional
        Names of the classes of a classification head. Default: a checkpoint without a head.
    changes
        Other values of the configuration.
    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

    tokenizer = tiny_tokenizer(model_type)
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    if labels is not None:
        changes["id2label"] = dict(enumerate(labels))
        changes["label2id"] = {label: i for i, label in enumerate(labels)}
    config = AutoConfig.for_model(
        model_type, **CONFIGS[model_type] | special | {"vocab_size": len(tokenizer)} | changes
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        (AutoModel if labels is None else AutoModelForSequenceClassification).from_config(config).save_pretrained(
            folder
        )
    tokenizer.save_pretrained(folder)
    return folder


@cache
def tiny_tokenizer(model_type: str):
    """A tokenizer with the special tokens of `model_type`, trained on the example reviews."""
    import transformers

    angled, square = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if model_type in ("bert", "distilbert", "electra", "ernie", "megatron-bert"):
        return transformers.BertTokenizer(vocab=_wordpiece(square))
    if model_type == "mpnet":
        return transformers.MPNetTokenizer(vocab=_wordpiece(["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]))
    if model_type in ("roberta", "data2vec-text", "roberta-prelayernorm"):
        vocab, merges = _byte_level(angled)
        return transformers.RobertaTokenizer(vocab=vocab, merges=merges)
    if model_type == "modernbert":
        return _modernbert(square)
    if model_type in ("albert", "rembert"):
        return transformers.AlbertTokenizer(vocab=_unigram(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], "<unk>"))
    if model_type in ("xlm-roberta", "xlm-roberta-xl"):
        return transformers.XLMRobertaTokenizer(vocab=_unigram(angled, "<unk>"))
    if model_type == "camembert":
        return transformers.CamembertTokenizer(vocab=_unigram(angled, "<unk>"))
    if model_type == "deberta-v2":
        special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
        return transformers.DebertaV2Tokenizer(vocab=_unigram(special, "[UNK]"), unk_id=3)
    raise KeyError(model_type)


def _texts() -> list[str]:
    with (CHECKOUT / "data" / "example_reviews.csv").open(encoding="utf-8", newline="") as file:
        return [*(row["text"] for row in csv.DictReader(file)), " ".join(string.printable)]


def _trained(tokenizer, trainer) -> dict[str, Any]:
    import json

    tokenizer.train_from_iterator(_texts(), trainer)
    return json.loads(tokenizer.to_str())["model"]


def _wordpiece(special: list[str]) -> dict[str, int]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=special[1]))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _trained(tokenizer, _trainer(trainers.WordPieceTrainer, special))["vocab"]


def _byte_level(special: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    model = _trained(tokenizer, _trainer(trainers.BpeTrainer, special, initial_alphabet=alphabet))
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def _modernbert(special: list[str]):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocab, merges = _byte_level(special)
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
    )
    names = {f"{token[1:-1].lower()}_token": token for token in special}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=["input_ids", "attention_mask"], **names
    )


def _unigram(special: list[str], unknown: str) -> list[tuple[str, float]]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    model = _trained(tokenizer, _trainer(trainers.UnigramTrainer, special, unk_token=unknown))
    return [tuple(piece) for piece in model["vocab"]]


def _trainer(kind: Callable, special: list[str], **options: Any):
    return kind(vocab_size=400, special_tokens=special, show_progress=False, **options)
