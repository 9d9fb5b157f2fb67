"""Inference against what a user would type instead: transformers' pipeline, and ONNX Runtime.

Reviews a second on 5,000 IMDB test reviews as they come (half of them in each of two turns), cut to the first 256
tokens, with the model of the run `quick`; tokenising is part of the time, loading and exporting are not. And how far
the probabilities are from the pipeline's. Needs lessons 01 to 03 (``make run``) and ``pip install -e ".[bench]"``.

python benchmarks/inference.py IMDB_FOLDER        20 minutes on two cores
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from bench import RECORDS, arguments, measure, peak_memory, reviews

from sentiment_lib.settings import make_settings

LENGTH, TURNS = 256, 2
SYSTEMS = (
    "pipeline",
    "pipeline, batch_size=32",
    "ONNX Runtime, float32",
    "ONNX Runtime, int8",
    "sentiment_lib, float32",
    "sentiment_lib",
)


def infer(system: str, turn: int, imdb: Path, count: int) -> dict:
    """Classify this turn's reviews; the probabilities go to a file beside the record, for the comparison."""
    folder = make_settings("quick").paths.model
    texts = list(reviews(imdb, "test", count)["text"])[turn::TURNS]
    classify = _prepared(system, str(folder))
    classify(texts[:64])
    began = time.perf_counter()
    found = classify(texts)
    seconds = time.perf_counter() - began
    expected = RECORDS / ".probabilities" / f"{count}_{turn}.npy"  # not committed
    expected.parent.mkdir(parents=True, exist_ok=True)
    if system == "pipeline":
        np.save(expected, found)
    reference = np.load(expected)
    return {
        "reviews_per_second": len(texts) / seconds,
        "largest_difference": float(np.abs(found - reference).max()),
        "other_label": int(((found >= 0.5) != (reference >= 0.5)).sum()),
        "peak_mb": peak_memory(),
    }


def _prepared(system: str, folder: str):
    """A function from texts to probabilities of positive."""
    if system.startswith("sentiment_lib"):
        from sentiment_lib import initialize_model_and_tokenizer, predict

        model, tokenizer = initialize_model_and_tokenizer(folder)
        precision = "float32" if system.endswith("float32") else "auto"
        return lambda texts: predict(texts, model, tokenizer, max_length=LENGTH, truncation="head", precision=precision)
    if system.startswith("pipeline"):
        from transformers import pipeline

        batch = {"batch_size": 32} if system.endswith("32") else {}
        classifier = pipeline("text-classification", model=folder, device="cpu", **batch)
        return lambda texts: np.array(
            [
                one["score"] if one["label"] == "positive" else 1 - one["score"]
                for one in classifier(texts, truncation=True, max_length=LENGTH)
            ]
        )
    return _onnx(folder, int8=system.endswith("int8"))


def _onnx(folder: str, int8: bool):
    """The model exported to ONNX, and run in padded batches of 32 as the reviews come."""
    import onnxruntime
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask"]
    sample = tokenizer(["one text", "and a second, longer text"], padding=True, return_tensors="pt")

    class Logits(torch.nn.Module):  # the model without the keyword arguments that an export cannot follow
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    batch, tokens = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("tokens", min=2, max=LENGTH)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        torch.onnx.export(
            Logits().eval(),
            tuple(sample[name] for name in names),
            path,
            input_names=names,
            dynamic_shapes={name: {0: batch, 1: tokens} for name in names},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        if int8:
            quantize_dynamic(path, path.with_name("int8.onnx"), weight_type=QuantType.QInt8)
            path = path.with_name("int8.onnx")
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def classify(texts):
        found = []
        for at in range(0, len(texts), 32):
            rows = tokenizer(texts[at : at + 32], padding=True, truncation=True, max_length=LENGTH, return_tensors="np")
            logits = session.run(None, {name: rows[name].astype(np.int64) for name in names})[0]
            found.append(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))
        return np.concatenate(found)

    return classify


def main() -> None:
    """Measure what is not on record yet."""
    options = arguments(__doc__)
    count = 200 if options.small else 5000
    jobs = [
        {"system": system, "turn": turn, "imdb": options.imdb, "count": count}
        for turn in range(1 if options.small else TURNS)
        for system in SYSTEMS
    ]
    measure("inference", infer, jobs, options.small)


if __name__ == "__main__":
    main()
