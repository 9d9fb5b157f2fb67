"""The architectures that can be used: where an encoder keeps its layers and heads, and why others are refused.

All of them have heads that lie side by side: head h of n takes the h-th of n equal slices of the columns of queries,
keys, values, and of what goes into the attention's output projection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Architecture:
    """Where the modules of an encoder are, as dotted names, and how it differs from BERT.

    Attributes
    ----------
    layers : str
        The list of layers, from the model without its head. ALBERT: the list of groups of layers with shared weights.
    projections : tuple of str
        From a layer: the linear layers of queries, keys and values, or one that computes all three.
    output : str
        From a layer: the linear layer that mixes the outputs of the heads.
    norm : str
        From a layer: the normalisation of what attention reads, in an encoder that normalises before each block
        (pre-norm) and adds to its hidden states without normalising them. Empty for post-norm.
    positions : str
        What attention scores hold besides products of queries and keys. Empty: nothing.
    has_kernels : bool
        Whether the attention kernel can be chosen.
    skips_positions : bool
        Whether tokens are numbered from the index of padding + 1, so that the positions before it are not used.
    """

    layers: str = "encoder.layer"
    projections: tuple[str, ...] = ("attention.self.query", "attention.self.key", "attention.self.value")
    output: str = "attention.output.dense"
    norm: str = ""
    positions: str = ""
    has_kernels: bool = True
    skips_positions: bool = False

    @property
    def is_bert(self) -> bool:
        """Whether its layers are BERT's."""
        return replace(self, skips_positions=False) == Architecture()


def _projections(pattern: str, *names: str) -> tuple[str, ...]:
    return tuple(pattern.format(name) for name in names)


_BERT = Architecture()
_ROBERTA = replace(_BERT, skips_positions=True)
ARCHITECTURES = {
    "bert": _BERT,
    "electra": _BERT,
    "ernie": _BERT,
    "rembert": replace(_BERT, has_kernels=False),
    "megatron-bert": replace(_BERT, norm="attention.ln", has_kernels=False),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "data2vec-text": _ROBERTA,
    "roberta-prelayernorm": replace(_ROBERTA, norm="attention.LayerNorm"),
    "xlm-roberta-xl": replace(_ROBERTA, norm="attention.self_attn_layer_norm"),
    "distilbert": Architecture(
        "transformer.layer", _projections("attention.{}_lin", "q", "k", "v"), "attention.out_lin"
    ),
    "albert": Architecture(
        "encoder.albert_layer_groups", _projections("attention.{}", "query", "key", "value"), "attention.dense"
    ),
    "mpnet": Architecture(
        projections=_projections("attention.attn.{}", "q", "k", "v"),
        output="attention.attn.o",
        positions="a number for each head and distance between two tokens is added",
        has_kernels=False,
        skips_positions=True,
    ),
    "deberta-v2": Architecture(
        projections=_projections("attention.self.{}_proj", "query", "key", "value"),
        positions="products of queries and keys with vectors for the distance between two tokens are added",
        has_kernels=False,
    ),
    "modernbert": Architecture(
        "layers",
        ("attn.Wqkv",),
        "attn.Wo",
        norm="attn_norm",
        positions="queries and keys are rotated by angles that depend on their positions",
    ),
}
SUPPORTED = "BERT, RoBERTa, XLM-RoBERTa, DistilBERT, ELECTRA, ALBERT, MPNet, DeBERTa-v2 or v3, or ModernBERT"
_REFUSED = {
    "longformer": "its attention weights are for a window around each token, not for each pair of tokens",
    "big_bird": "it computes attention between blocks of tokens, not between all pairs of tokens",
    "xlnet": "its heads have no output projection of their own to switch off, and it classifies by the last token",
    "funnel": "it merges tokens from layer to layer, so that its attention weights are not for pairs of tokens",
    "fnet": "it has no attention",
}


def architecture_of(config: PreTrainedConfig) -> Architecture | None:
    """The architecture of models with this configuration; None if they cannot be used."""
    return ARCHITECTURES.get(config.model_type)


def check_architecture(config: PreTrainedConfig, name: str) -> None:
    """Raise a ModelError, which names the model and the reason, if models with this configuration cannot be used."""
    kind = config.model_type
    if kind not in ARCHITECTURES:
        reason = _REFUSED.get(kind) or _reason(config)
    elif getattr(config, "inner_group_num", 1) != 1:
        reason = f"each of its layers consists of {config.inner_group_num} (inner_group_num)"
    elif getattr(config, "pad_token_id", None) is None:
        reason = "its config.json names no token for padding (pad_token_id)"
    else:
        return
    raise ModelError(f"{name!r} (model_type {kind!r}) cannot be used here: {reason}. Use a {SUPPORTED} model.")


def _reason(config: PreTrainedConfig) -> str:
    from transformers.models.auto import modeling_auto

    kind = config.model_type
    if config.is_encoder_decoder:
        return "it consists of an encoder and a decoder, and the workbook is about encoders"
    if kind not in modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return "transformers has no classifier of texts for it"
    if kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and (
        kind not in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    ):
        return "it is a decoder, whose tokens see only earlier ones, and the workbook is about encoders"
    return "the workbook does not know where it keeps its layers and heads"


def dropout_keys(config: PreTrainedConfig) -> list[str]:
    """The keys of a configuration that hold a probability of dropout, such as ``classifier_dropout``.

    Keys whose value is None are left out: they stand for the value of another key.
    """
    return [key for key, value in config.to_dict().items() if "dropout" in key and isinstance(value, (int, float))]


def attention_windows(config: PreTrainedConfig) -> tuple[int | None, ...]:
    """For each layer, how many tokens to either side a token can attend to; None: to all tokens."""
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    return tuple(config.sliding_window if kind == "sliding_attention" else None for kind in kinds)


def reads_first_token(config: PreTrainedConfig) -> bool:
    """Whether the classification head reads the last hidden state of the first token alone, not the mean of all."""
    return getattr(config, "classifier_pooling", "cls") == "cls"


def longest_input(config: PreTrainedConfig) -> int:
    """The number of tokens that the model has positions for, special tokens included."""
    architecture = architecture_of(config)
    unused = config.pad_token_id + 1 if architecture is not None and architecture.skips_positions else 0
    return config.max_position_embeddings - unused


def model_limits(config: PreTrainedConfig) -> list[str]:
    """What lessons show differently for this model than for a BERT, known from its configuration; one sentence each."""
    architecture, limits = architecture_of(config), []
    local = [(layer, window) for layer, window in enumerate(attention_windows(config)) if window is not None]
    if local:
        layers = ", ".join(str(layer) for layer, _ in local)
        limits.append(
            f"Attention is local in layers {layers}: a token attends to at most {local[0][1]} tokens to either side, "
            "and its weights for all others are 0."
        )
    if architecture is not None and architecture.positions:
        limits.append(f"Attention scores are more than products of queries and keys: {architecture.positions}.")
    if not reads_first_token(config):
        limits.append("The classification head reads the mean of all tokens, not the first token.")
    if shared := config.num_hidden_layers // getattr(config, "num_hidden_groups", config.num_hidden_layers) - 1:
        limits.append(f"Each layer shares its weights with {shared} others: they are trained together.")
    return limits
