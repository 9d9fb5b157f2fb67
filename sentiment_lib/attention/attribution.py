"""Which words a prediction rests on: six ways to say, and chance.

Taught in lessons 04 (leaving words out) and 06 (all of them, and whether to believe them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.tokenization import encode
from ..evaluation.metrics import logit
from ..model.compute import device_of
from ..model.inference import predict
from ..run.environment import needs_extra
from ..run.progress import progress_bar
from .maps import eager

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

UNSIGNED = ("attention", "rollout")  # say how much, not for which label
SIGNED = ("gradient × attention", "gradient × input", "integrated gradients")
REFERENCE, CHANCE = "leave one out", "random"
METHODS = (*UNSIGNED, *SIGNED, REFERENCE, CHANCE)


@dataclass(frozen=True)
class WordEffects:
    """What each word of a text does to a prediction.

    Attributes
    ----------
    words : tuple of str
        The text, split at white space.
    effects : tuple of float
        Above 0 the word speaks for positive, below 0 for negative. For words left out: by how much the logit of
        positive falls then. For methods that say how much, not for which label (:data:`UNSIGNED`): at least 0.
    probability : float
        Of positive, for the whole text.
    """

    words: tuple[str, ...]
    effects: tuple[float, ...]
    probability: float

    def driving(self, n: int = 3) -> list[str]:
        """The `n` words that speak most for the prediction that was made, the strongest first."""
        side = 1 if self.probability >= 0.5 else -1
        order = np.argsort(-side * np.array(self.effects), kind="stable")[:n]
        return [self.words[i] for i in order if side * self.effects[i] > 0]


def leave_one_word_out(texts: Sequence[str], predict: Callable[[list[str]], Sequence[float]]) -> list[WordEffects]:
    """Leave out each word in turn and see what the prediction becomes.

    It works for any classifier and asks it once a word. It sees what single words do; where two words say the
    same, leaving out one may change nothing.

    Parameters
    ----------
    texts : sequence of str
    predict : callable
        Takes a list of texts and returns the probability of positive for each; called once.

    Returns
    -------
    list of WordEffects
        One a text.

    Raises
    ------
    ValueError
        For a text without words.

    References
    ----------
    Li et al., Understanding neural networks through representation erasure, 2016.
    """
    split = [text.split() for text in texts]
    for i, words in enumerate(split):
        if not words:
            raise ValueError(f"texts[{i}] is {texts[i]!r}: there is no word to leave out.")
    variants = [" ".join(words[:i] + words[i + 1 :]) for words in split for i in range(len(words))]
    logits = logit(predict([*(" ".join(words) for words in split), *variants]))
    found, place = [], len(split)
    for words, whole in zip(split, logits, strict=False):
        effects = whole - logits[place : place + len(words)]
        place += len(words)
        found.append(WordEffects(tuple(words), tuple(effects.tolist()), float(1 / (1 + np.exp(-whole)))))
    return found


def words_seen(text: str, tokenizer: PreTrainedTokenizerBase, encoding: Mapping[str, Any]) -> list[str]:
    """The words of a text, split at white space, that fit into the model: of a longer text both ends, as a rule.

    Words are dropped from the place where `encoding` cuts, until what is left is not cut any more.
    """
    words = text.split()
    if not words:
        return []
    cut = encoding.get("truncation", "head+tail")
    share = {"head": 1.0, "tail": 0.0}.get(cut, encoding.get("head_share", 0.25))
    room = encoding["max_length"] - tokenizer.num_special_tokens_to_add()
    lengths = [len(ids) for ids in tokenizer(words, add_special_tokens=False)["input_ids"]]
    if sum(lengths) > room:
        head = int(np.searchsorted(np.cumsum(lengths), round(room * share), side="right"))
        left = 0 if cut == "head" else room - sum(lengths[:head])
        tail = int(np.searchsorted(np.cumsum(lengths[::-1]), left, side="right"))
        words = words[:head] + words[len(words) - tail :]
    return words


def rollout(attentions: np.ndarray) -> np.ndarray:
    """How much of each input token reaches each token of the last layer, if attention were all that mixes them.

    Heads are averaged, half of the weight stays where it is (the residual connection), and the layers are
    multiplied up.

    Parameters
    ----------
    attentions : array of float, shape (layers, heads, tokens, tokens)

    Returns
    -------
    numpy.ndarray
        Shape ``(tokens, tokens)``; rows sum to 1.

    References
    ----------
    Abnar and Zuidema, Quantifying Attention Flow in Transformers, 2020, section 3.
    """
    mixed = (np.asarray(attentions, dtype=float).mean(axis=1) + np.eye(attentions.shape[-1])) / 2
    reached = mixed[0]
    for layer in mixed[1:]:
        reached = layer @ reached
    return reached


def attribute(
    texts: Sequence[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoding: Mapping[str, Any],
    *,
    methods: Sequence[str] = METHODS,
    steps: int = 24,
    seed: int = 0,
) -> dict[str, list[WordEffects]]:
    """What each word of each text does to its prediction, according to several methods.

    Parameters
    ----------
    texts : sequence of str
        Of a text that is too long, only the words that the model sees are kept.
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    encoding : mapping
        ``max_length``, ``truncation`` and ``head_share``, as in ``settings.encoding``.
    methods : sequence of str
        Some of :data:`METHODS`:

        - ``"attention"``: the last layer's weights from [CLS], mean over heads;
        - ``"rollout"``: :func:`rollout` from [CLS];
        - ``"gradient × attention"``: those weights times the derivative of the logit by them, summed over heads;
        - ``"gradient × input"``: the word embedding times the derivative by it (Denil et al. 2014);
        - ``"integrated gradients"``: the same, with the derivative averaged over the way from a text of [PAD] to
          this one (Sundararajan et al. 2017), computed by Captum;
        - ``"leave one out"``: :func:`leave_one_word_out`;
        - ``"random"``: normal random numbers, the control.
    steps : int
        Points on the way of the integrated gradients.
    seed : int
        Of the random control.

    Returns
    -------
    dict of str to list of WordEffects
        One a text, for each method. The logit of positive is ``logits[1] - logits[0]``; what a method gives to
        the pieces of a word is summed, what it gives to special tokens is left out.

    Raises
    ------
    ValueError
        For an unknown method, and for a text without words.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise ValueError(f"There is no method {unknown[0]!r}; there are {', '.join(map(repr, METHODS))}.")
    seen = [words_seen(text, tokenizer, encoding) for text in texts]
    for text, words in zip(texts, seen, strict=True):
        if not words:
            raise ValueError(f"{text[:60]!r} has no word that fits into max_length={encoding['max_length']} tokens.")
    joined, rng = [" ".join(words) for words in seen], np.random.default_rng(seed)

    def chance(variants: list[str]) -> np.ndarray:
        return predict(variants, model, tokenizer, **encoding, progress=False)

    found: dict[str, list[WordEffects]] = {name: [] for name in methods}
    if REFERENCE in methods:
        found[REFERENCE] = leave_one_word_out(joined, chance)
    inner = [name for name in methods if name not in (REFERENCE, CHANCE)]
    pairs = progress_bar(zip(seen, joined, strict=True), total=len(seen), desc="attributing", unit="text")
    for words, text in pairs:
        per_token, probability = _inside(text, model, tokenizer, encoding, inner, steps)
        place = _word_of_token(text, words, tokenizer)
        for name in inner:
            effects = np.zeros(len(words))
            np.add.at(effects, place, per_token[name][1 : 1 + len(place)])
            found[name].append(WordEffects(tuple(words), tuple(effects.tolist()), probability))
        if CHANCE in methods:
            found[CHANCE].append(WordEffects(tuple(words), tuple(rng.normal(size=len(words)).tolist()), probability))
    return found


def _word_of_token(text: str, words: list[str], tokenizer) -> list[int]:
    """For each token without the special ones: which of the words, split at white space, it is a piece of."""
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    # some tokenizers count the space before a word to it, so that its end is the surer sign
    return [int(np.searchsorted(starts, max(end - 1, 0), side="right")) - 1 for _, end in offsets]


def _inside(text, model, tokenizer, encoding, methods, steps) -> tuple[dict[str, np.ndarray], float]:
    """What the methods that look into the model give to each token, and the probability of positive."""
    import torch

    (ids,) = encode([text], tokenizer, **encoding)
    ids = torch.tensor([ids], device=device_of(model))
    table = model.get_input_embeddings()

    def positive(embedded):
        logits = model(inputs_embeds=embedded, attention_mask=torch.ones(embedded.shape[:2], device=ids.device)).logits
        return logits[:, 1] - logits[:, 0]

    with eager(model), torch.enable_grad():
        embedded = table(ids).detach().requires_grad_()
        output = model(inputs_embeds=embedded, attention_mask=torch.ones_like(ids), output_attentions=True)
        gap = output.logits[0, 1] - output.logits[0, 0]
        last = output.attentions[-1]
        by_input, by_weight = torch.autograd.grad(gap, [embedded, last])
        found = {
            "attention": last[0, :, 0].mean(dim=0),
            "gradient × attention": (last * by_weight)[0, :, 0].sum(dim=0),
            "gradient × input": (embedded * by_input)[0].sum(dim=-1),
        }
        if "rollout" in methods:
            weights = torch.cat([layer.detach() for layer in output.attentions]).cpu().numpy()
            found["rollout"] = torch.tensor(rollout(weights)[0])
        if "integrated gradients" in methods:
            with needs_extra("lessons"):
                from captum.attr import IntegratedGradients

            blank = ids.clone()
            blank[0, 1:-1] = tokenizer.pad_token_id
            start = table(blank).detach()
            way = IntegratedGradients(positive).attribute(embedded, start, n_steps=steps, internal_batch_size=steps)
            found["integrated gradients"] = way[0].sum(dim=-1)
    values = {name: found[name].detach().cpu().double().numpy() for name in methods}
    return values, float(torch.sigmoid(gap.detach()))
