"""Which words a prediction rests on: six methods, and a random control (lessons 05 and 07)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from string import punctuation

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..data.tokenization import encode
from ..errors import ArgumentError
from ..evaluation.predictions import logit
from ..model.architectures import reads_first_token
from ..model.inference import Classifier
from ..run.environment import needs_extra
from ..run.progress import progress_bar
from .maps import eager

UNSIGNED = ("attention", "rollout")  # say how much, not for which label
SIGNED = ("gradient × attention", "gradient × input", "integrated gradients")
REFERENCE, RANDOM = "leave one out", "random"
METHODS = (*UNSIGNED, *SIGNED, REFERENCE, RANDOM)


@dataclass(frozen=True)
class WordEffects:
    """What each word of a text does to a prediction.

    Attributes
    ----------
    words : tuple of str
        The text, split at white space.
    effects : tuple of float
        Above 0 the word supports positive, below 0 negative. For words left out: by how much the logit of positive
        then falls. If not `signed`: how much the word matters, for either label, at least 0.
    probability : float
        Of positive, for the complete text.
    gap : float or None
        For integrated gradients: the sum of what all tokens were given, minus what it should be, the difference
        between the logits of the text and of the empty text (the axiom of completeness). More steps make it smaller.
    signed : bool
        Whether effects speak for a label. If not, they only say how much a word matters.
    """

    words: tuple[str, ...]
    effects: tuple[float, ...]
    probability: float
    gap: float | None = None
    signed: bool = True

    @property
    def support(self) -> np.ndarray:
        """How strongly each word supports the predicted label, or matters if not `signed`, shape ``(words,)``."""
        return np.array(self.effects) * (1 if self.probability >= 0.5 or not self.signed else -1)

    def without_signs(self) -> WordEffects:
        """The sizes of the effects only, to compare a method with others that have no signs."""
        return replace(self, effects=tuple(map(abs, self.effects)), signed=False)

    def driving(self, n: int = 3) -> list[str]:
        """The `n` words that most support the prediction that was made, the strongest first."""
        support = self.support
        return [self.words[i] for i in np.argsort(-support, kind="stable")[:n] if support[i] > 0]


def leave_one_word_out(texts: Sequence[str], predict: Callable[[list[str]], ArrayLike]) -> list[WordEffects]:
    """Leave out each word in turn and see what the prediction becomes.

    This works for any classifier (Li et al., Understanding neural networks through representation erasure, 2016).
    It sees what single words do; if two words say the same, leaving out one may change nothing.

    Parameters
    ----------
    predict : callable
        Takes a list of texts and returns the probability of positive for each; called once, for all variants.

    Raises
    ------
    ArgumentError
        If a text has no words.
    """
    split = [text.split() for text in texts]
    for i, words in enumerate(split):
        if not words:
            raise ArgumentError(f"texts[{i}] is {texts[i]!r}: there is no word to leave out.")
    variants = [" ".join(words[:i] + words[i + 1 :]) for words in split for i in range(len(words))]
    logits = logit(predict([*(" ".join(words) for words in split), *variants]))
    ends = np.cumsum([len(texts), *map(len, split)])[:-1]
    complete, *without = np.split(logits, ends)
    return [
        WordEffects(tuple(words), tuple((gap - left).tolist()), float(1 / (1 + np.exp(-gap))))
        for words, gap, left in zip(split, complete, without, strict=True)
    ]


def words_seen(text: str, classifier: Classifier) -> list[str]:
    """The words of a text, split at white space, that fit into the model: both ends of a longer text, by default.

    Words are dropped where the encoding cuts, until the rest is no longer cut.
    """
    words = text.split()
    if not words:
        return []
    encoding, tokenizer = classifier.encoding, classifier.tokenizer
    share = {"head": 1.0, "tail": 0.0}.get(encoding.truncation, encoding.head_share)
    room = encoding.max_length - tokenizer.num_special_tokens_to_add()
    head, inside = 0, [words[0], *(f" {word}" for word in words[1:])]  # byte-level tokens include the space before
    lengths = [len(ids) for ids in tokenizer(inside, add_special_tokens=False)["input_ids"]]
    if sum(lengths) > room:
        head = int(np.searchsorted(np.cumsum(lengths), round(room * share), side="right"))
        left = 0 if encoding.truncation == "head" else room - sum(lengths[:head])
        tail = int(np.searchsorted(np.cumsum(lengths[::-1]), left, side="right"))
        words = words[:head] + words[len(words) - tail :]
    while words and len(tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]) > room:
        words.pop(min(head, len(words) - 1))  # pieces of a word can depend on the words beside it
    return words


def rollout(attentions: np.ndarray) -> np.ndarray:
    """How much of each input token would reach each token of the last layer if only attention mixed them.

    Weights of shape ``(layers, heads, tokens, tokens)`` become shares of shape ``(tokens, tokens)``, whose rows sum
    to 1. Heads are averaged, half of the weight stays where it is (the residual connection), and the layers are
    multiplied (Abnar and Zuidema, Quantifying Attention Flow in Transformers, 2020, section 3).
    """
    mixed = (np.asarray(attentions, dtype=float).mean(axis=1) + np.eye(attentions.shape[-1])) / 2
    reached = mixed[0]
    for layer in mixed[1:]:
        reached = layer @ reached
    return reached


def attribute(
    texts: Sequence[str], classifier: Classifier, *, methods: Sequence[str] = METHODS, steps: int = 24, seed: int = 0
) -> dict[str, list[WordEffects]]:
    """What each word of each text does to its prediction, according to several methods.

    Parameters
    ----------
    texts : sequence of str
        Of a text that is too long, only the words that the model sees are kept.
    methods : sequence of str
        Some of :data:`METHODS`:

        - ``"attention"``: the last layer's weights from [CLS], mean over heads (for a head that reads the mean of all
          tokens, also the mean over these);
        - ``"rollout"``: :func:`rollout` from [CLS], or from all tokens;
        - ``"gradient × attention"``: those weights times the derivative of the logit by them, summed over heads;
        - ``"gradient × input"``: the word embedding times the derivative by it (Denil et al. 2014);
        - ``"integrated gradients"``: the same, with the derivative averaged over the path from a text of [PAD] to
          this one (Sundararajan et al. 2017), computed by Captum;
        - ``"leave one out"``: :func:`leave_one_word_out`;
        - ``"random"``: normal random numbers, the control.
    steps : int
        Points on the path of the integrated gradients.
    seed : int
        Of the random control.

    Returns
    -------
    dict of str to list of WordEffects
        For each method, one per text. The logit of positive is ``logits[1] - logits[0]``. What a method gives to
        the pieces of a word is summed; what it gives to special tokens is left out.

    Raises
    ------
    ArgumentError
        If a method is unknown or a text has no words.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise ArgumentError(f"There is no method {unknown[0]!r}; there are {', '.join(map(repr, METHODS))}.")
    seen = [words_seen(text, classifier) for text in texts]
    for text, words in zip(texts, seen, strict=True):
        if not words:
            raise ArgumentError(
                f"{text[:60]!r} has no word that fits into max_length={classifier.encoding.max_length} tokens."
            )
    joined, rng = [" ".join(words) for words in seen], np.random.default_rng(seed)
    found: dict[str, list[WordEffects]] = {name: [] for name in methods}
    if REFERENCE in methods:
        found[REFERENCE] = leave_one_word_out(joined, partial(classifier.predict, progress=False))
    inner = [name for name in methods if name not in (REFERENCE, RANDOM)]
    pairs = progress_bar(zip(seen, joined, strict=True), total=len(seen), desc="attributing", unit="text")
    for words, text in pairs:
        per_token, probability, gap = _inside(text, classifier, inner, steps)
        word_of = _word_of_token(text, words, classifier.tokenizer)
        pieces = slice(1, 1 + len(word_of))
        per_word: dict[str, np.ndarray] = {
            name: np.bincount(word_of, per_token[name][pieces], len(words)) for name in inner
        }
        if RANDOM in methods:
            per_word[RANDOM] = rng.normal(size=len(words))
        for name, effects in per_word.items():
            missing = gap if name == "integrated gradients" else None
            values = tuple(effects.tolist())
            found[name].append(WordEffects(tuple(words), values, probability, missing, name not in UNSIGNED))
    return found


def lexicon_effects(texts: Sequence[str], classifier: Classifier) -> list[WordEffects]:
    """What VADER's lexicon says of each word that the classifier sees: an explanation that knows nothing of the model.

    Returns
    -------
    list of WordEffects
        One per text. The effect of a word is its valence in the lexicon, from -4 to 4; other words have 0.

    References
    ----------
    Hutto and Gilbert, ICWSM 2014.
    """
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    valence = SentimentIntensityAnalyzer().lexicon
    seen = [words_seen(text, classifier) for text in texts]
    probabilities = classifier.predict([" ".join(words) for words in seen], progress=False)
    return [
        WordEffects(
            tuple(words),
            tuple(valence.get(w, valence.get(w.strip(punctuation), 0.0)) for w in map(str.lower, words)),
            float(probability),
        )
        for words, probability in zip(seen, probabilities, strict=True)
    ]


def _word_of_token(text: str, words: list[str], tokenizer) -> np.ndarray:
    """For each token without the special ones: index of the word, split at white space, that it is a piece of."""
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    # some tokenizers count the space before a word as part of it, so the end is the safer sign
    return np.searchsorted(starts, [max(end - 1, 0) for _, end in offsets], side="right") - 1


def _inside(
    text: str, classifier: Classifier, methods: list[str], steps: int
) -> tuple[dict[str, np.ndarray], float, float | None]:
    """What the methods that look into the model give to each token, the probability of positive, and the gap."""
    model, tokenizer = classifier.model, classifier.tokenizer
    ids = torch.tensor(encode([text], tokenizer, **classifier.encoding), device=classifier.device)
    table = model.get_input_embeddings()
    read = slice(1) if reads_first_token(model.config) else slice(None)  # tokens that the classification head reads

    def positive(embedded: torch.Tensor) -> torch.Tensor:
        logits = model(inputs_embeds=embedded, attention_mask=torch.ones(embedded.shape[:2], device=ids.device)).logits
        return logits[:, 1] - logits[:, 0]

    missing = None
    with eager(model), torch.enable_grad():
        embedded = table(ids).detach().requires_grad_()
        output = model(inputs_embeds=embedded, attention_mask=torch.ones_like(ids), output_attentions=True)
        gap = output.logits[0, 1] - output.logits[0, 0]
        last = output.attentions[-1]
        by_input, by_weight = torch.autograd.grad(gap, [embedded, last])
        found = {
            "attention": last[0, :, read].mean(dim=1).mean(dim=0),
            "gradient × attention": (last * by_weight)[0, :, read].sum(dim=1).sum(dim=0),
            "gradient × input": (embedded * by_input)[0].sum(dim=-1),
        }
        if "rollout" in methods:
            weights = torch.cat([layer.detach() for layer in output.attentions]).cpu().numpy()
            found["rollout"] = torch.tensor(rollout(weights)[read].mean(axis=0))
        if "integrated gradients" in methods:
            with needs_extra("lessons"):
                from captum.attr import IntegratedGradients

            blank = ids.clone()
            blank[0, 1:-1] = tokenizer.pad_token_id
            start = table(blank).detach()
            path, delta = IntegratedGradients(positive).attribute(
                embedded, start, n_steps=steps, internal_batch_size=steps, return_convergence_delta=True
            )
            found["integrated gradients"], missing = path[0].sum(dim=-1), float(delta[0])
    values = {name: found[name].detach().cpu().double().numpy() for name in methods}
    return values, float(torch.sigmoid(gap.detach())), missing
