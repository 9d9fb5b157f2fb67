"""The share of the CPU's peak bfloat16 speed that training and inference reach, and where the rest of the time goes.

The peak (the roof) is the speed of the best of several sizes of matrix product in bfloat16. The work counted is that of
the model's matrix products for real tokens, without padding: 2 operations per weight and token, plus 4 x tokens x
hidden size per token and layer for attention; three times as much in training. There are two counts: for the complete
model (what a user gets), and for the products that are computed (the last layer is computed for [CLS] only).

python benchmarks/roofline.py IMDB_FOLDER        12 minutes on two cores
"""

import tempfile
import time
from collections import Counter
from pathlib import Path

from bench import arguments, measure, reviews

SIZES = (512, 1024, 2048, 4096)
KINDS = {
    "matrix products of linear layers": ("aten::mm", "aten::addmm", "mkldnn::_linear_pointwise"),
    "matrix products of attention": ("aten::bmm", "aten::baddbmm"),
    "softmax": ("aten::_softmax", "aten::_softmax_backward_data"),
    "GELU": ("aten::gelu", "aten::gelu_backward"),
    "layer normalisation": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "copies and casts": ("aten::copy_", "aten::cat", "aten::clone"),
    "additions, products, sums": ("aten::add", "aten::add_", "aten::mul", "aten::mul_", "aten::sum", "aten::div"),
    "optimiser": ("aten::_fused_adamw_",),
    "gradients' norm and zeros": ("aten::linalg_vector_norm", "aten::fill_", "aten::zero_", "aten::_foreach_norm"),
    "embeddings": ("aten::embedding_dense_backward", "aten::index_select", "aten::embedding"),
}


def roof(turn: int, **_) -> dict:
    """The best speed of a product of two square matrices in bfloat16, and in float32 for comparison, in GFLOP/s."""
    import torch

    speeds = {}
    for dtype in (torch.bfloat16, torch.float32):
        for size in SIZES:
            left, right = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
            product = torch.empty(size, size, dtype=dtype)
            best = float("inf")
            for _ in range(6):
                began = time.perf_counter()
                for _ in range(4):
                    torch.mm(left, right, out=product)
                best = min(best, (time.perf_counter() - began) / 4)
            speeds[dtype, size] = 2 * size**3 / best / 1e9
    bfloat16, float32 = (max(speeds[dtype, size] for size in SIZES) for dtype in (torch.bfloat16, torch.float32))
    return {
        "gflops": bfloat16,
        "gflops_float32": float32,
        "by_size": {size: speeds[torch.bfloat16, size] for size in SIZES},
    }


def operations(lengths: list[int], config, first_token_only: bool) -> float:
    """Operations of one forward pass over reviews of these lengths in tokens."""
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    keys_values, rest = 4 * hidden**2, 4 * hidden**2 + 4 * hidden * inner
    total = 0.0
    for tokens in lengths:
        complete = layers - 1 if first_token_only else layers
        total += complete * tokens * (keys_values + rest + 4 * hidden * tokens)
        if first_token_only:
            total += tokens * keys_values + rest + 4 * hidden * tokens
    return total


def reach(kind: str, length: int, turn: int, imdb: Path, count: int) -> dict:
    """GFLOP/s of training or inference by both counts, and a profile of the time."""
    from datasets import Dataset, DatasetDict
    from torch.profiler import ProfilerActivity, profile
    from transformers import TrainerCallback

    from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings, predict
    from sentiment_lib.data.tokenization import encode

    class Clock(TrainerCallback):  # the first tenth of the steps is a warm-up
        def on_step_end(self, args, state, control, **_):
            self.times = [*getattr(self, "times", []), time.perf_counter()]

    rows = reviews(imdb, "train", count)
    settings = make_settings("imdb", max_length=length, first_length=None, epochs=1)
    model, tokenizer = initialize_model_and_tokenizer(dropout=settings.dropout)
    lengths = [len(ids) for ids in encode(list(rows["text"]), tokenizer, **settings.encoding)]
    passes, config = (3 if kind == "training" else 1), model.config

    def work():
        if kind == "inference":
            began = time.perf_counter()
            predict(list(rows["text"]), model, tokenizer, **settings.encoding)
            return time.perf_counter() - began
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            splits = DatasetDict(train=Dataset.from_pandas(rows, preserve_index=False))
            target = Path(folder) / "model"
            fine_tune(model, tokenizer, splits, settings, output_dir=target, validate=False, callbacks=[clock])
        times = clock.times
        warmup = len(times) // 10
        return (times[-1] - times[warmup]) * len(times) / (len(times) - 1 - warmup)

    work()
    seconds = work()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        work()
    spent = Counter()
    for event in profiler.key_averages():
        group = next((name for name, keys in KINDS.items() if event.key in keys), "everything else")
        spent[group] += event.self_cpu_time_total
    total = sum(spent.values())
    return {
        "reviews_per_second": count / seconds,
        "tokens": sum(lengths) / len(lengths),
        "gflops": passes * operations(lengths, config, False) / seconds / 1e9,
        "gflops_computed": passes * operations(lengths, config, True) / seconds / 1e9,
        "profile": {name: value / total for name, value in spent.most_common()},
    }


def call(kind: str, **job) -> dict:
    """Run the measurement of a job."""
    return roof(**job) if kind == "matrix product" else reach(kind, **job)


def enough(length: int, count: int) -> int:
    """More reviews where they are short, so that a measurement takes seconds."""
    return count if length >= 128 or not length else 8 * count


def main() -> None:
    """Run the measurements that are not on record yet."""
    options = arguments(__doc__)
    count, turns = (48, 1) if options.small else (256, 3)
    jobs = []
    for turn in range(turns):
        for kind, lengths in (("matrix product", (0,)), ("training", (256, 128, 512)), ("inference", (256, 64, 32))):
            jobs += [
                {"kind": kind, "length": length, "turn": turn, "imdb": options.imdb, "count": enough(length, count)}
                for length in lengths
            ]
    measure("roofline", call, jobs, options.small)


if __name__ == "__main__":
    main()
