"""Inference compared with the usual alternatives: transformers' pipeline and ONNX Runtime.

Reviews per second on 5,000 unsorted IMDB test reviews (half of them in each of two turns), truncated to the first 256
tokens, with the model of the run `quick`. The time includes tokenisation, but not loading or exporting. Probabilities
are compared with the pipeline's. Needs lessons 01 to 03 (``make run``) and ``pip install -e ".[bench]"``.

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
    """Classify this turn's reviews. The pipeline's probabilities are kept in a file for comparison."""
    folder = make_settings("quick").paths.model
    texts = list(reviews(imdb, "test", count)["text"])[turn::TURNS]
    classify = _classifier(system, str(folder))
    classify(texts[:64])
    began = time.perf_counter()
    probabilities = classify(texts)
    seconds = time.perf_counter() - began
    expected = RECORDS / ".probabilities" / f"{count}_{turn}.npy"  # not committed
    expected.parent.mkdir(parents=True, exist_ok=True)
    if system == "pipeline":
        np.save(expected, probabilities)
    reference = np.load(expected)
    return {
        "reviews_per_second": len(texts) / seconds,
        "largest_difference": float(np.abs(probabilities - reference).max()),
        "other_label": int(((probabilities >= 0.5) != (reference >= 0.5)).sum()),
        "peak_mb": peak_memory(),
    }


def _classifier(system: str, folder: str):
    """A function that maps texts to their probabilities of being positive."""
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
                result["score"] if result["label"] == "positive" else 1 - result["score"]
                for result in classifier(texts, truncation=True, max_length=LENGTH)
            ]
        )
    return _onnx(folder, int8=system.endswith("int8"))


def _onnx(folder: str, int8: bool):
    """A function that runs the model, exported to ONNX, in padded batches of 32 in the order of the reviews."""
    import onnxruntime
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask"]
    sample = tokenizer(["one text", "and a second, longer text"], padding=True, return_tensors="pt")

    class Logits(torch.nn.Module):  # without the keyword arguments of the model, which cannot be exported
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    batch, tokens = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("tokens", min=2, max=LENGTH)
    with tempfile.TemporaryDirectory() as export_folder:
        path = Path(export_folder) / "model.onnx"
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
        probabilities = []
        for start in range(0, len(texts), 32):
            rows = tokenizer(
                texts[start : start + 32], padding=True, truncation=True, max_length=LENGTH, return_tensors="np"
            )
            logits = session.run(None, {name: rows[name].astype(np.int64) for name in names})[0]
            probabilities.append(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))
        return np.concatenate(probabilities)

    return classify


def main() -> None:
    """Run the measurements that are not on record yet."""
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
