"""Probabilities and embeddings for any number of texts. Taught in lesson 04."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.tokenization import encode
from ..errors import ArgumentTypeError, check_choice
from ..run.progress import progress_bar
from ..settings import PRECISIONS, Encoding
from .compute import device_of, has_bfloat16
from .encoder import bfloat16_hidden_states, evaluating, first_token_only, packed_weights

if TYPE_CHECKING:
    import torch
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

CHUNK = 4096  # number of texts that are tokenised and sorted together; it bounds the memory
TOKENS = 4096  # the most tokens in a batch of short texts
# Once a batch has this many tokens, it ends where the next text is shorter than this share of its longest text. Less
# is padded this way; batches with fewer tokens would not keep the CPU busy.
FEWEST_TOKENS, SHORTEST = 1024, 0.9


@dataclass(frozen=True)
class Classifier:
    """A model with everything that it needs to read texts: tokenizer, encoding, precision and batch size.

    Texts are batched with others of similar length, so that little is computed on padding; results are in the order of
    the texts. The result for a text does not depend on the other texts, except for rounding.

    Attributes
    ----------
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`. The device is the model's.
    encoding : Encoding
        How a text becomes token ids.
    precision : {"auto", "bfloat16", "float32"}
        Precision of the matrix products. Default: bfloat16 where the device has it in hardware. It changes
        probabilities by about 0.001 to 0.01.
    batch_size : int
        Texts per batch. A batch of short texts holds more of them, up to 4,096 tokens. Where lengths differ much, it
        holds fewer.

    Raises
    ------
    ArgumentError
        For an unknown precision.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    encoding: Encoding = field(default_factory=Encoding)
    precision: str = "auto"
    batch_size: int = 16

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, PRECISIONS)

    @property
    def device(self) -> torch.device:
        """The device that the model is on."""
        return device_of(self.model)

    def predict(self, texts: Sequence[str], *, progress: bool = True) -> np.ndarray:
        """The probability that each text is positive, shape ``(texts,)``, float64, in [0, 1].

        Parameters
        ----------
        texts : sequence of str
        progress : bool
            Show a progress bar for more than 500 texts, in a notebook or terminal.

        Raises
        ------
        ArgumentTypeError
            For a single string, and for an element that is not a string.
        """
        if isinstance(texts, str):
            raise ArgumentTypeError("predict takes a list of texts; for a single text, use predict([text], ...).")
        texts = list(texts)
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise ArgumentTypeError(f"texts[{i}] is {text!r}, not a string.")
        return 0.5 * (1 + np.tanh(self.logits(texts, progress=progress) / 2))  # softmax of two logits, no overflow

    def logits(self, texts: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """The logit of positive minus that of negative for each text, shape ``(texts,)``, float64."""
        with first_token_only(self.model):
            return self.compute(lambda batch: self.difference(batch)[:, None], 1, texts, progress=progress)[:, 0]

    def difference(self, batch: BatchEncoding) -> torch.Tensor:
        """The logit of positive minus that of negative for the texts of a batch, shape ``(texts,)``."""
        return logit_difference(self.model, batch)

    def embed(self, texts: Sequence[str], pooling: str = "mean", *, progress: bool = True) -> np.ndarray:
        """The last hidden states of each text as one vector, shape ``(texts, hidden size)``, float64.

        Parameters
        ----------
        pooling : {"mean", "first"}
            The mean over the text's tokens, or the state of its first token, [CLS] in a BERT.

        Raises
        ------
        ArgumentError
            For another pooling.
        """
        check_choice("pooling", pooling, ("mean", "first"))

        def pooled(batch: BatchEncoding) -> torch.Tensor:
            hidden = self.model.base_model(**batch).last_hidden_state.float()
            if pooling == "first":
                return hidden[:, 0]
            mask = batch["attention_mask"][..., None]  # (texts, tokens, 1): 0 for padding
            return (hidden * mask).sum(dim=1) / mask.sum(dim=1)

        return self.compute(pooled, self.model.config.hidden_size, texts, progress=progress)

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], BatchEncoding]]:
        """Padded batches of texts of similar length, the longest first, so that a lack of memory shows at once.

        Yields
        ------
        list of int
            Indices of the texts in the batch.
        transformers.BatchEncoding
            The inputs of the model, on its device.
        """
        for start in range(0, len(texts), CHUNK):
            ids = encode(texts[start : start + CHUNK], self.tokenizer, **self.encoding)
            order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
            lengths, first = [len(ids[i]) for i in order], 0
            while first < len(order):
                longest = lengths[first]
                end = min(first + max(self.batch_size, TOKENS // longest), len(order))
                fewest = first + math.ceil(FEWEST_TOKENS / longest)
                end = next((i for i in range(fewest, end) if lengths[i] < SHORTEST * longest), end)
                rows, first = order[first:end], end
                batch = self.tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt")
                yield [start + i for i in rows], batch.to(self.device)

    def compute(
        self, forward: Callable[[Any], torch.Tensor], width: int, texts: Sequence[str], *, progress: bool = False
    ) -> np.ndarray:
        """Whatever a function computes from each batch, in evaluation mode and in the precision of the classifier.

        Parameters
        ----------
        forward : callable
            From a batch of :meth:`batches` to a tensor of shape ``(texts, width)``.
        width : int

        Returns
        -------
        numpy.ndarray
            Shape ``(texts, width)``, float64, in the order of the texts.
        """
        import torch

        found = np.empty((len(texts), width))
        model, device = self.model, self.device
        bfloat16 = self.precision == "bfloat16" or (self.precision == "auto" and has_bfloat16(device.type))
        with ExitStack() as stack:
            stack.enter_context(evaluating(model))
            bar = None
            if progress and len(texts) > 500:
                bar = stack.enter_context(progress_bar(total=len(texts), desc="predicting", unit="text"))
            stack.enter_context(torch.inference_mode())
            if bfloat16:
                stack.enter_context(torch.autocast(device.type, dtype=torch.bfloat16))
                stack.enter_context(bfloat16_hidden_states(model))
                stack.enter_context(packed_weights(model))
            for rows, batch in self.batches(texts):
                found[rows] = forward(batch).float().cpu().numpy()
                if bar is not None:
                    bar.update(len(rows))
        return found


def logit_difference(model: PreTrainedModel, inputs: Mapping[str, Any]) -> torch.Tensor:
    """The logit of positive minus that of negative for the model's inputs, shape ``(texts,)``, float32."""
    both = model(**inputs).logits.float()
    return both[:, 1] - both[:, 0]


def predict(
    texts: Sequence[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int | None = None,
    truncation: str = "head+tail",
    head_share: float = 0.25,
    precision: str = "auto",
    batch_size: int = 16,
    progress: bool = True,
) -> np.ndarray:
    """:meth:`Classifier.predict` as a function: probabilities of shape ``(texts,)``, float64, with the same errors.

    Parameters
    ----------
    texts, progress
        As in :meth:`Classifier.predict`.
    model, tokenizer, precision, batch_size
        As in :class:`Classifier`.
    max_length, truncation, head_share
        As in :class:`sentiment_lib.settings.Encoding`. Default length: 256, or the model's limit if that is lower.
    """
    encoding = Encoding(max_length or min(256, tokenizer.model_max_length), truncation, head_share)
    return Classifier(model, tokenizer, encoding, precision, batch_size).predict(texts, progress=progress)
