"""What the explorer in the browser asks, answered by the model in this kernel.

``engine/page_engine.js`` gives the same answers in a page without a kernel. Long work, such as the need of all heads,
is asked for in pieces, a layer at a time, so that the kernel can answer something else in between.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..attention.attribution import leave_one_word_out, rollout, words_seen
from ..attention.maps import AttentionMaps, attention_maps
from ..attention.norms import moved_norms
from ..attention.patching import heads_taken
from ..attention.silencing import gated, silenced
from ..attention.statistics import attention_batches
from ..attention.word_pairs import strongest_pairs
from ..data.tokenization import encode, readable_tokens
from ..errors import ArgumentError
from ..evaluation.predictions import logit
from ..model.architectures import attention_windows, reads_first_token
from ..model.compute import device_of
from ..model.inference import Classifier, logit_difference
from ..settings import Encoding

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONG = 128  # tokens; of longer texts, the browser gets one layer at a time, and small pictures of all heads
SMALL = 48  # cells to a side of a small picture
SLICE = 32  # texts of the corpus that are read at a time
MOST = 256 * 2**20  # bytes of weights that are kept of a corpus
Heads = Sequence[tuple[int, int]]


def codes_of(weights: np.ndarray, top: float = 1.0) -> np.ndarray:
    """Weights as bytes, ``round(255 * sqrt(weight / top))``: the error is at most 0.004, less for small weights."""
    return np.rint(255 * np.sqrt(np.clip(weights / top, 0, 1))).astype(np.uint8)


class KernelEngine:
    """The model behind an explorer.

    Parameters
    ----------
    model, tokenizer
        From :func:`sentiment_lib.initialize_model_and_tokenizer`.
    max_length : int
        Longest text in tokens; longer texts are cut (head+tail).
    before : transformers.PreTrainedModel, optional
        The checkpoint before fine-tuning.
    corpus : sequence of str
        Texts for the search by head.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
        before: PreTrainedModel | None = None,
        corpus: Sequence[str] = (),
    ) -> None:
        self.model, self.before = model, before
        self.tokenizer, self.length, self.corpus = tokenizer, max_length, list(corpus)
        self._kept: OrderedDict[tuple, AttentionMaps] = OrderedDict()  # the latest texts
        self._read: list[tuple[list[str], np.ndarray, list[bool]]] = []  # of the corpus, as far as it has been read

    @property
    def info(self) -> dict[str, Any]:
        """What the component needs to know: the model's shape, and what can be asked."""
        config = self.model.config
        can: dict[str, bool | str] = dict.fromkeys(("needs", "patches", "norms", "leaveOut", "rollout"), True)
        can["search"] = bool(self.corpus) or "the explorer was given no corpus"
        can["before"] = self.before is not None or "the explorer was given no other model"
        shape = {"layers": config.num_hidden_layers, "heads": config.num_attention_heads, "length": self.length}
        return shape | {"windows": list(attention_windows(config)), "can": can, "changed": None}

    def maps(self, text: str, off: Heads = (), take: Mapping[str, Any] | None = None, which: str = "now"):
        """The weights for a text with some heads off or taken from another text, as :class:`AttentionMaps`."""
        taken = (take["text"], tuple(map(tuple, take["heads"]))) if take else None
        key = text, tuple(map(tuple, off)), taken, which
        if key not in self._kept:
            with self.changed(text, off, take, which) as model:
                self._kept[key] = attention_maps(text, model, self.tokenizer, max_length=self.length)
            while len(self._kept) > 4:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    @contextmanager
    def changed(self, text: str, off: Heads = (), take: Mapping[str, Any] | None = None, which: str = "now"):
        """The model with some heads off, or taken from another text, until the block ends."""
        model = self.model if which == "now" else self.before
        if model is None:
            raise ArgumentError("There is no other model: AttentionExplorer(..., before=model).")
        with ExitStack() as stack:
            if take and take["heads"]:
                ids = self._paired(text, take["text"])
                stack.enter_context(heads_taken(model, ids, [(layer, head) for layer, head in take["heads"]]))
            if off:
                stack.enter_context(silenced(model, [(layer, head) for layer, head in off]))
            yield model

    def _paired(self, text: str, other: str) -> list[int]:
        """The second text's tokens, as many as the first's."""
        ids, others = encode([text, other], self.tokenizer, self.length)
        if len(ids) != len(others):
            raise ArgumentError(
                f"The two texts have {len(ids)} and {len(others)} tokens. Heads can be taken only from a text of the "
                "same length: replace one word with another, and add none."
            )
        return others

    def answer(self, kind: str, args: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What the browser asks: values for JSON, and bytes by name, deflated.

        Raises
        ------
        ArgumentError
            For something else than the component can ask, and for texts that do not fit together.
        """
        asks = {
            "read": self._maps, "logit": self._logit, "layer": self._layer, "norms": self._norms,
            "needs": self._needs, "patches": self._patches, "leaveOut": self._leave_out, "rollout": self._rollout,
            "search": self._search,
        }  # fmt: skip
        if kind not in asks:
            raise ArgumentError(f"The explorer asked for {kind!r}; it can ask for {', '.join(asks)}.")
        values, arrays = asks[kind](args)
        return values, {name: zlib.compress(array.tobytes(), 1) for name, array in arrays.items()}

    def _asked(self, args: Mapping[str, Any]) -> AttentionMaps:
        return self.maps(args["text"], args.get("off", ()), args.get("take"), args.get("model", "now"))

    def _maps(self, args):
        maps = self._asked(args)
        values = {"tokens": list(maps.tokens), "words": list(maps.words), "word_texts": list(maps.word_texts)}
        values |= {"probability": maps.probability, "logit": float(logit([maps.probability])[0])}
        values["cut"] = len(self.tokenizer(args["text"])["input_ids"]) - len(maps.tokens)
        values |= self._whole(args)
        return values | self._long(args, maps.tokens), self._codes(args, maps.tokens, maps.weights)

    def _whole(self, args) -> dict[str, float]:
        """The logit with all heads on, where some are changed."""
        changed = args.get("off") or args.get("take")
        return {"whole": float(logit([self.maps(args["text"]).probability])[0])} if changed else {}

    def _logit(self, args):
        """The prediction alone, which takes half the time of the maps."""
        text, changes = args["text"], (args.get("off", ()), args.get("take"), args.get("model", "now"))
        with self.changed(text, *changes) as model:
            return {"logit": float(self._logits(model, text, 1)[0])} | self._whole(args), {}

    def _long(self, args, tokens, measure: str = "weights") -> dict[str, Any]:
        return {"layer": args["layer"], "asked": {**args, "measure": measure}} if len(tokens) > LONG else {}

    def _codes(self, args, tokens, weights, top=1.0) -> dict[str, np.ndarray]:
        if len(tokens) <= LONG:
            return {"weights": codes_of(weights, top)}
        edges = np.linspace(0, len(tokens), SMALL + 1).astype(int)[:-1]
        small = np.maximum.reduceat(np.maximum.reduceat(weights, edges, axis=2), edges, axis=3)
        return {"weights": codes_of(weights[args["layer"]], top), "small": codes_of(small, top)}

    def _layer(self, args):
        """One layer of a long text."""
        if args.get("measure") == "norms":
            norms = self._moved(args)[1]
            return {}, {"weights": codes_of(norms[args["layer"]], float(norms.max()))}
        return {}, {"weights": codes_of(self._asked(args).weights[args["layer"]])}

    def _moved(self, args):
        with self.changed(args["text"], args.get("off", ()), args.get("take"), args.get("model", "now")) as model:
            return moved_norms(args["text"], model, self.tokenizer, max_length=self.length)

    def _norms(self, args):
        maps, norms = self._moved(args)
        top = float(norms.max()) or 1.0
        return {"top": top} | self._long(args, maps.tokens, "norms"), self._codes(args, maps.tokens, norms, top)

    @torch.inference_mode()
    def _logits(self, model: PreTrainedModel, text: str, copies: int) -> np.ndarray:
        """Logit of positive minus negative, for copies of a text that the changes around treat differently."""
        ids = encode([text], self.tokenizer, self.length) * copies
        rows = torch.tensor(ids, device=device_of(model))
        return logit_difference(model, {"input_ids": rows, "attention_mask": torch.ones_like(rows)}).cpu().numpy()

    def _needs(self, args):
        """What switching off each head of a layer does to the logit, beyond the heads that are off."""
        off, layer, heads = args.get("off", ()), args["layer"], self.model.config.num_attention_heads
        gates = torch.ones(heads + 1, heads, device=device_of(self.model))
        gates[torch.arange(heads), torch.arange(heads)] = 0  # the last copy keeps all heads
        with self.changed(args["text"], off, args.get("take")) as model, gated(model, {layer: gates}):
            *without, whole = self._logits(model, args["text"], heads + 1)
        return {"layer": layer, "values": [float(value - whole) for value in without]}, {}

    def _patches(self, args):
        """What taking each head of a layer from the other text does to the logit."""
        layer, heads, text = args["layer"], self.model.config.num_attention_heads, args["text"]
        pairs = [(layer, head) for head in range(heads)]
        ids, now = self._paired(text, args["other"]), self.model
        with heads_taken(now, ids, pairs, one_per_text=True), self.changed(text, args.get("off", ())) as model:
            *taken, whole = self._logits(model, text, heads + 1)  # the last copy keeps its own heads
        return {"layer": layer, "values": [float(value - whole) for value in taken]}, {}

    def _leave_out(self, args):
        if args.get("take"):
            raise ArgumentError("Words cannot be left out while heads are taken from a second text: give them back.")
        with self.changed(args["text"], args.get("off", ())) as model:
            classifier = Classifier(model, self.tokenizer, Encoding(self.length), "float32")
            words = words_seen(args["text"], classifier)
            if not words:
                return {"words": [], "effects": []}, {}
            (effects,) = leave_one_word_out([" ".join(words)], classifier.predict)
        return {"words": list(effects.words), "effects": list(effects.effects)}, {}

    def _rollout(self, args):
        rows = slice(1) if reads_first_token(self.model.config) else slice(None)
        return {"shares": rollout(self._asked(args).weights)[rows].mean(axis=0).tolist()}, {}

    def _search(self, args):
        """Read a slice of the corpus; when all is read, the pairs that a head connects. 256 MB of weights are kept."""
        unread = self.corpus[len(self._read) :]
        if unread and sum(codes.nbytes for _, codes, _ in self._read) <= MOST:
            self._read += self._slice(unread[:SLICE])
            if len(unread) > SLICE:
                return {"read": len(self._read), "of": len(self.corpus)}, {}
        layer, head = args["layer"], args["head"]
        tokens, codes, special = zip(*self._read, strict=True)
        weights = [(part[layer, head].astype(np.float32) / 255) ** 2 for part in codes]
        found = strongest_pairs(tokens, weights, special, top=args.get("top", 10))
        pairs = [
            {"from": row["first"], "to": row["second"], "mean": float(row["mean"]), "count": int(row["count"]),
             "example": {"text": int(row["text"]), "content": self.corpus[int(row["text"])], "row": int(row["row"]),
                         "column": int(row["column"]), "weight": float(row["weight"])}}
            for row in found.table.to_dict("records")
        ]  # fmt: skip
        return {"texts": found.texts, "pairs": pairs, "chance": found.chance}, {}

    def _slice(self, texts: list[str]) -> Iterator[tuple[list[str], np.ndarray, list[bool]]]:
        classifier = Classifier(self.model, self.tokenizer, Encoding(self.length))
        read: dict[int, tuple[list[str], np.ndarray, list[bool]]] = {}
        for batch in attention_batches(texts, classifier):
            layers = [codes_of(layer.cpu().numpy()) for layer in batch.attentions]
            for row, text in enumerate(batch.texts):
                n = len(batch.words[row])
                tokens = readable_tokens(texts[text], self.tokenizer, self.length).tokens
                codes = np.stack([layer[row, :, :n, :n] for layer in layers])
                read[text] = tokens, codes, [word < 0 for word in batch.words[row]]
        return (read[i] for i in range(len(texts)))
