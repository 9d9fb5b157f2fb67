"""The share of this processor's bfloat16 speed that training and inference reach, and where the rest goes.

The roof is the best of several sizes of one matrix product in bfloat16. The work counted is that of the model's own
matrix products for the real tokens (padding is not counted): 2 operations a weight and token, and attention's
4 x tokens x hidden size a token and layer; three times that in training. Two shares are given: of the whole model as
written (what a user gets), and of the products really computed (the last layer is computed for [CLS] only).

python benchmarks/roofline.py IMDB_FOLDER        10 minutes on two cores
"""

import tempfile
import time
from collections import Counter
from pathlib import Path

from bench import arguments, measure, reviews

SIZES = (512, 1024, 2048, 4096)
KINDS = {
    "matrix products of linear layers": ("aten::mm", "aten::addmm"),
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
    """The best speed of a product of two square matrices, in GFLOP/s: in bfloat16, and for comparison in float32."""
    import torch

    found = {}
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
            found[dtype, size] = 2 * size**3 / best / 1e9
    short, long = (max(found[dtype, size] for size in SIZES) for dtype in (torch.bfloat16, torch.float32))
    return {"gflops": short, "gflops_float32": long, "by_size": {size: found[torch.bfloat16, size] for size in SIZES}}


def operations(lengths: list[int], config, first_token_only: bool) -> float:
    """Operations of one forward pass over reviews of these lengths in tokens."""
    wide, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    keys_values, rest = 4 * wide**2, 4 * wide**2 + 4 * wide * inner
    total = 0.0
    for tokens in lengths:
        whole = layers - 1 if first_token_only else layers
        total += whole * tokens * (keys_values + rest + 4 * wide * tokens)
        if first_token_only:
            total += tokens * keys_values + rest + 4 * wide * tokens
    return total


def reach(kind: str, length: int, turn: int, imdb: Path, count: int) -> dict:
    """GFLOP/s of training or inference, by both counts, and a profile of where the time goes."""
    from datasets import Dataset, DatasetDict
    from torch.profiler import ProfilerActivity, profile
    from transformers import TrainerCallback

    from sentiment_lib import fine_tune, initialize_model_and_tokenizer, make_settings, predict
    from sentiment_lib.data.tokenization import encode

    class Clock(TrainerCallback):  # the first tenth of the steps warms up
        def on_step_end(self, args, state, control, **_):
            self.at = [*getattr(self, "at", []), time.perf_counter()]

    rows = reviews(imdb, "train", count)
    settings = make_settings("imdb", max_length=length, epochs=1)
    model, tokenizer = initialize_model_and_tokenizer(dropout=settings.dropout)
    lengths = [len(ids) for ids in encode(list(rows["text"]), tokenizer, **settings.encoding)]
    times, config = (3 if kind == "training" else 1), model.config

    def work():
        if kind == "inference":
            began = time.perf_counter()
            predict(list(rows["text"]), model, tokenizer, **settings.encoding)
            return time.perf_counter() - began
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            splits = DatasetDict(train=Dataset.from_pandas(rows, preserve_index=False))
            where = Path(folder) / "model"
            fine_tune(model, tokenizer, splits, settings, output_dir=where, validate=False, callbacks=[clock])
        warm = len(clock.at) // 10
        return (clock.at[-1] - clock.at[warm]) * len(clock.at) / (len(clock.at) - 1 - warm)

    work()
    seconds = work()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        work()
    spent = Counter()
    for event in seen.key_averages():
        named = next((name for name, keys in KINDS.items() if event.key in keys), "everything else")
        spent[named] += event.self_cpu_time_total
    whole = sum(spent.values())
    return {
        "reviews_per_second": count / seconds,
        "tokens": sum(lengths) / len(lengths),
        "gflops": times * operations(lengths, config, False) / seconds / 1e9,
        "gflops_computed": times * operations(lengths, config, True) / seconds / 1e9,
        "profile": {name: value / whole for name, value in spent.most_common()},
    }


def call(kind: str, **job) -> dict:
    """The measurement that a job asks for."""
    return roof(**job) if kind == "matrix product" else reach(kind, **job)


def main() -> None:
    """Measure what is not on record yet."""
    options = arguments(__doc__)
    count, turns = (48, 1) if options.small else (256, 3)
    jobs = []
    for turn in range(turns):
        for kind, lengths in (("matrix product", (0,)), ("training", (256, 128, 512)), ("inference", (256,))):
            jobs += [
                {"kind": kind, "length": length, "turn": turn, "imdb": options.imdb, "count": count}
                for length in lengths
            ]
    measure("roofline", call, jobs, options.small)


if __name__ == "__main__":
    main()
