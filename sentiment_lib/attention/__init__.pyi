from .attribution import WordEffects, attribute, leave_one_word_out, rollout
from .erasure import Faithfulness, faithfulness, means_table, rank_agreement
from .heads import HeadEffects, head_importance, heads_without_loss, least_first, silence_each, silence_in_order
from .maps import AttentionMaps, attention_maps, condense
from .silencing import all_heads, gated, silenced
from .statistics import STATISTICS, HeadStatistics, attention_change, head_distances, head_statistics, peculiar_texts

__all__ = [
    "STATISTICS",
    "AttentionMaps",
    "Faithfulness",
    "HeadEffects",
    "HeadStatistics",
    "WordEffects",
    "all_heads",
    "attention_change",
    "attention_maps",
    "attribute",
    "condense",
    "faithfulness",
    "gated",
    "head_distances",
    "head_importance",
    "head_statistics",
    "heads_without_loss",
    "least_first",
    "leave_one_word_out",
    "means_table",
    "peculiar_texts",
    "rank_agreement",
    "rollout",
    "silence_each",
    "silence_in_order",
    "silenced",
]
