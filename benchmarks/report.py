"""Makes RESULTS.md and its figures from benchmarks/records/*/*.json.

python benchmarks/report.py
"""

import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from bench import HERE, RECORDS, median
from gpu import PARTS
from page_engine import TIMED, TOKENS

from sentiment_lib.evaluation.predictions import unpacked
from sentiment_lib.evaluation.uncertainty import Interval, crossed_interval, mean_interval, share_intervals
from sentiment_lib.plots.style import in_house_style, looks, new_figure, to_png
from sentiment_lib.run.files import replacing

FIGURES = HERE / "figures"
ARMS = ("before", "negated", "plain")


def table_of(question: str, folder: Path) -> pd.DataFrame:
    """One row per measurement in this folder, with the values of its job and its results."""
    record = json.loads((folder / f"{question}.json").read_text(encoding="utf-8"))
    return pd.DataFrame([row["job"] | {k: v for k, v in row.items() if k != "job"} for row in record["measurements"]])


def distinct(values: Iterable) -> list:
    """The distinct values in order of first appearance."""
    return list(dict.fromkeys(values))


def markdown(head: list[str], rows: Iterable[Iterable]) -> str:
    """A Markdown table; the first column is text and the others are numbers."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def save_figure(name: str, folder: Path, figure, alternative: str) -> str:
    """Write a figure and return the Markdown that shows it."""
    figure.alt = alternative
    with replacing(FIGURES / folder.name / f"{name}.png") as temporary:
        temporary.write_bytes(to_png(figure))
    return f"![{alternative}](figures/{folder.name}/{name}.png)"


def training(folder: Path) -> str:
    """Training compared with the Trainer."""
    table = table_of("training", folder)
    rows, base = [], {}
    for (length, system), group in table.groupby(["length", "system"], sort=False):
        speed = median(group["reviews_per_second"])
        if system == "Trainer":
            base[length] = speed
        accuracy = mean_interval(group["accuracy"])
        target = 0.8
        reached = [next((s for s, a in curve if a >= target), None) for curve in group["curve"]]
        times = [f"{s:.0f} s" if s is not None else "no" for s in reached]
        rows.append(
            (
                f"{system}, {length} tokens",
                f"{speed:.1f}",
                f"{speed / base[length]:.2f}" if length in base else "",
                f"{accuracy.estimate:.3f} "
                + (f"[{accuracy.low:.3f}, {accuracy.high:.3f}]" if len(group) > 1 else "(one seed)"),
                ", ".join(times),
                f"{median(group['peak_mb']):.0f}",
            )
        )
    count = int(table["count"].max())
    head = ["system", "reviews/s", "ratio", "accuracy [95 %]", "0.80 reached after", "peak MB"]
    text = (
        f"One epoch over {count:,} reviews, {int(table['held_out'].max())} validation reviews, one run per seed, the "
        "systems in turn. Speeds are medians; accuracies are means with Student's interval over seeds. The Trainer "
        "reads the head of a review, padded to the length of the row, in batches of 8, with dropout and its default "
        'learning rate, 5e-5. What it does with a padding collator is under "What an hour buys".\n\n'
    )
    return (
        text
        + markdown(head, rows)
        + "\n\n"
        + save_figure("training", folder, _training_figure(table), "reviews per second")
    )


@in_house_style
def _training_figure(table: pd.DataFrame):
    lengths = sorted(table["length"].unique())
    systems = distinct(table["system"])
    figure, axes = new_figure(11, 4, 1, 2)
    for i, (system, (color, marker)) in enumerate(looks(systems).items()):
        rows = table[table["system"] == system]
        speeds = [rows.loc[rows["length"] == length, "reviews_per_second"].median() for length in lengths]
        axes[0, 0].bar(np.arange(len(lengths)) + 0.27 * (i - 1), speeds, 0.25, color=color, label=system)
        for j, curve in enumerate(rows.loc[rows["length"] == 256, "curve"]):
            seconds, accuracy = np.array(curve).T
            label = system if j == 0 else None
            axes[0, 1].plot(seconds, accuracy, marker=marker, color=color, alpha=0.8, label=label)
    axes[0, 0].set(xticks=range(len(lengths)), xticklabels=lengths, xlabel="tokens", ylabel="reviews per second")
    axes[0, 0].set_title("Training speed")
    axes[0, 0].legend()
    axes[0, 1].set(xscale="log", xlabel="seconds of training", ylabel="validation accuracy")
    axes[0, 1].set_xticks([10, 20, 50, 100, 200], [10, 20, 50, 100, 200])
    axes[0, 1].minorticks_off()
    axes[0, 1].set_title("One epoch at 256 tokens, three seeds")
    return figure


def levers(folders: list[Path]) -> str:
    """The gain of each optimisation, one row per processor."""
    from levers import STEPS, TRIED

    gains, tried = [], []
    for folder in folders:
        record = json.loads((folder / "levers.json").read_text(encoding="utf-8"))
        speeds = table_of("levers", folder).groupby("change", sort=False)["reviews_per_second"].median()
        speeds = speeds.rename(index={"bfloat16 residual stream": "bfloat16 from layer to layer"})
        steps = [speeds[change] for change in STEPS]
        factors = [f"{after / before:.2f}" for before, after in itertools.pairwise(steps)]
        processor = record["machine"]["processor"]
        gains.append((processor, f"{steps[0]:.1f}", *factors, f"{steps[-1]:.1f}", f"{steps[-1] / steps[0]:.1f}"))
        # The older record tried the others before the last step was in use.
        base = steps[-2] if list(speeds.index).index("bfloat16 from layer to layer") > len(STEPS) else steps[-1]
        tried.append((processor, *(f"{speeds[change] / base:.2f}" if change in speeds else "" for change in TRIED)))
    changes = list(STEPS)[1:]
    letters = [f"({letter})" for letter in "abcdefghijkl"[: len(changes)]]
    meaning = "; ".join(f"{letter} {change}" for letter, change in zip(letters, changes, strict=True))
    return (
        "Reviews per second at 256 tokens with a Trainer in float32, with dropout, batches of 8 and every review "
        "padded to 256 tokens, then the factor that each change brings when all changes before it are in use, and the "
        f"speed with all of them. From one turn to the next, a speed may differ by a tenth.\n\n{meaning}.\n\n"
        + markdown(["processor", "reviews/s before", *letters, "reviews/s with all", "times as fast"], gains)
        + "\n\nTried on top of all that, and not in use:\n\n"
        + markdown(["processor", *TRIED], tried)
    )


def alone(folder: Path) -> str:
    """Speed with and without each optimisation."""
    rows = []
    for row in table_of("alone", folder).itertuples(index=False):
        speeds = row._asdict()
        ratios = [with_it / without for without, with_it in zip(speeds["without"], speeds["with_it"], strict=True)]
        rows.append(
            (
                f"{row.lever}: {row.task}, {row.length} tokens",
                f"{median(speeds['without']):.1f}",
                f"{median(speeds['with_it']):.1f}",
                f"{median(ratios):.2f}",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
            )
        )
    head = ["measure", "without, reviews/s", "with", "times as fast", "pairs"]
    return (
        "Everything else is on. Medians over pairs of runs in turn. A measure that pays less than 5 % goes: tokenising "
        "in a thread while the model computes is not in use, since the model keeps both cores busy. The allocator is "
        "tuned for training only, since what it brings to prediction is not decided.\n\n" + markdown(head, rows)
    )


def roofline(folder: Path) -> str:
    """The share of the CPU's peak speed that is reached."""
    table = table_of("roofline", folder)
    products = table[table["kind"] == "matrix product"]
    roof = products["gflops"].median()
    float32 = f" (float32: {products['gflops_float32'].median():.0f})" if "gflops_float32" in table else ""
    rows, profiles = [], {}
    for (kind, length), group in table[table["kind"] != "matrix product"].groupby(["kind", "length"], sort=False):
        complete, computed = group["gflops"].median(), group["gflops_computed"].median()
        rows.append(
            (
                f"{kind}, {length} tokens",
                f"{group['reviews_per_second'].median():.1f}",
                f"{group['tokens'].iloc[0]:.0f}",
                f"{complete:.0f}",
                f"{complete / roof:.0%}",
                f"{computed / roof:.0%}",
            )
        )
        profiles[f"{kind}\n{length} tokens"] = pd.DataFrame(list(group["profile"])).mean()
    head = ["work", "reviews/s", "tokens per review", "GFLOP/s", "share of the roof", "share, only what is computed"]
    return (
        f"The roof: {roof:.0f} GFLOP/s{float32}, the best of several sizes of one bfloat16 matrix product (median of "
        "runs in turn). Work is counted for real tokens only; the last column leaves out what the last layer does not "
        "compute because only [CLS] is read.\n\n"
        + markdown(head, rows)
        + "\n\nWhere the time goes (torch.profiler):\n\n"
    ) + save_figure("profile", folder, _profile_figure(profiles), "share of time by kind of operation")


@in_house_style
def _profile_figure(profiles: dict[str, pd.Series]):
    shares = pd.DataFrame(profiles).fillna(0)
    shares = shares.loc[shares.mean(axis=1).sort_values(ascending=False).index]
    from matplotlib import colormaps

    figure, axes = new_figure(10, 0.8 * len(profiles) + 2.2)
    left = np.zeros(len(profiles))
    for i, (name, row) in enumerate(shares.iterrows()):
        axes[0, 0].barh(list(shares), row, left=left, label=name, color=colormaps["tab20"](i))
        left += row.to_numpy()
    axes[0, 0].invert_yaxis()
    axes[0, 0].set(xlim=(0, 1), xlabel="share of time")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def inference(folder: Path) -> str:
    """Inference compared with pipeline and ONNX Runtime."""
    table = table_of("inference", folder)
    speeds = table.groupby("system", sort=False)["reviews_per_second"].median()
    rows = []
    for system, speed in speeds.items():
        group = table[table["system"] == system]
        rows.append(
            (
                system,
                f"{speed:.1f}",
                f"{speed / speeds['pipeline']:.2f}",
                f"{group['largest_difference'].max():.4f}",
                f"{int(group['other_label'].sum())}",
                f"{group['peak_mb'].median():.0f}",
            )
        )
    head = ["system", "reviews/s", "ratio", "largest difference of a probability", "other labels", "peak MB"]
    count = int(table["count"].max())
    return (
        f"{count:,} IMDB test reviews as they come, first 256 tokens, tokenising included. Differences are from the "
        "pipeline's probabilities.\n\n" + markdown(head, rows)
    )


def growth(folder: Path) -> str:
    """Exponents of the growth of time and memory."""
    table = table_of("growth", folder)
    stages = ("prepare", "training", "prediction")
    rows = []
    for what in distinct(table["what"]):
        sizes = table[table["what"] == what].groupby("size").median(numeric_only=True)
        x = sizes["trained_on"] if what == "reviews" else sizes.index
        exponents = [np.polyfit(np.log(x), np.log(sizes[f"{stage}_seconds"]), 1)[0] for stage in stages]
        memory = np.polyfit(np.log(x), np.log(sizes["training_mb"]), 1)[0]
        rows.append((f"{what}, {sizes.index[0]:,} to {sizes.index[-1]:,}", *(f"{e:.2f}" for e in (*exponents, memory))))
    head = ["time against", "preparing", "training", "prediction", "memory of training"]
    return (
        "Exponents fitted to log time (or memory) over log size; 1 is proportional.\n\n"
        + markdown(head, rows)
        + "\n\n"
        + save_figure("growth", folder, _growth_figure(table), "time and memory against reviews, tokens and layers")
    )


@in_house_style
def _growth_figure(table: pd.DataFrame):
    factors = distinct(table["what"])
    names = {"prepare": "preparing", "training": "training, one epoch", "prediction": "prediction"}
    figure, axes = new_figure(12, 6.5, 2, len(factors))
    labels = {"reviews": "reviews", "length": "tokens at most", "layers": "layers"}
    for column, what in enumerate(factors):
        sizes = table[table["what"] == what].groupby("size").median(numeric_only=True)
        for (stage, name), (color, marker) in zip(names.items(), looks(names.values()).values(), strict=True):
            for row, unit in enumerate(("seconds", "mb")):
                axes[row, column].plot(sizes.index, sizes[f"{stage}_{unit}"], color=color, marker=marker, label=name)
        for row, unit in enumerate(("seconds", "largest memory so far (MB)")):
            axis = axes[row, column]
            axis.set(xscale="log", yscale="log" if row == 0 else "linear", xlabel=labels[what])
            axis.set_ylabel(unit if column == 0 else "")
            axis.set_xticks(list(sizes.index), [f"{size:,}" for size in sizes.index])
            axis.minorticks_off()
            axis.yaxis.set_major_formatter("{x:g}")
            if row:
                axis.set_ylim(bottom=0)
    axes[0, 0].legend()
    return figure


def candidates(folder: Path) -> str:
    """Recipes compared with the plain one."""
    table = table_of("candidates", folder)
    parts = []
    for corpus, group in table.groupby("corpus", sort=False):
        right = {
            (recipe, who): np.stack([unpacked(row["right"][who], row["held_out"]) for _, row in rows.iterrows()])
            for recipe, rows in group.groupby("recipe", sort=False)
            for who in ("BERT", "linear", "together")
            if who != "linear" or recipe == "plain"
            if who == "BERT" or recipe in ("plain", "growing inputs")
        }
        plain = right["plain", "BERT"]
        level = 1 - 0.05 / (len(right) - 1)  # Bonferroni: all intervals of a table hold together in 95 % of cases
        rows = []
        for (recipe, who), answers in right.items():
            gain = "" if answers is plain else _points(crossed_interval(answers - plain, level))
            name = {"linear": "linear model alone", "together": f"{recipe}, together with the linear model"}.get(
                who, recipe
            )
            seconds = group[group["recipe"] == recipe]["training_seconds"].median()
            rows.append(
                (
                    name,
                    str(crossed_interval(answers)),
                    gain,
                    f"{seconds:.0f}" if who == "BERT" else f"{group['linear_seconds'].median():.0f} more",
                )
            )
        head = ["recipe", "accuracy [95 %]", "points more than plain [simultaneous 95 %]", "seconds"]
        counts = f"{group['train'].max():,} for training, {group['held_out'].max():,} held out, {len(plain)} seeds"
        parts.append(f"`{corpus}`, {counts}:\n\n{markdown(head, rows)}")
    return (
        "Every recipe of a table trains on the same reviews with the same seeds and answers the same held-out reviews. "
        "The intervals hold for other seeds and other reviews. The weights of the two models together are fitted on "
        "nine tenths of the held-out reviews and used on the tenth that is left, ten times. "
        + "".join(f"{remark} " for remark in (table["remark"].dropna().unique() if "remark" in table else ()))
        + "Inputs that grow are cut to 128, 256 and 512 tokens in three epochs; the other recipes have two epochs with "
        "the longest inputs. The preset `imdb` takes the recipe with the best mean, `quick` another one than plain "
        "only if the interval lies above 0.\n\n" + "\n\n".join(parts)
    )


def _points(interval: Interval) -> str:
    return f"{100 * interval.estimate:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def hour(folder: Path) -> str:
    """What an hour buys."""
    table = table_of("hour", folder)
    (ours,) = (row for _, row in table[table["system"] == "sentiment_lib"].iterrows())
    rows = []
    for _, row in table.iterrows():
        curve = _curve(row)
        reached = next((minutes for minutes, accuracy in curve if accuracy >= TARGET), None)
        spread = share_intervals([round(curve[-1][1] * row["validation"])], [row["validation"]])
        low, high = (end[0] for end in spread)
        rows.append(
            (
                _system(row),
                f"{reached:.1f}" if reached is not None else "no",
                f"{curve[-1][0]:.0f}",
                f"{curve[-1][1]:.3f} [{low:.3f}, {high:.3f}]",
                f"{row['peak_mb']:.0f}",
                " and ".join(f"{speed:.0f}" for speed in row["gflops"]),
            )
        )
    settings, test = ours["settings"], ours["test_accuracy"]
    remarked = table.dropna(subset="remark") if "remark" in table else table.iloc[:0]
    head = ["system", f"minutes to {TARGET:.2f}", "minutes in all", "validation accuracy then [95 %]", "peak MB"]
    head.append("GFLOP/s before and after")
    text = (
        f"All {ours['train']:,} training reviews; {ours['validation']:,} validation reviews. Minutes hold tokenising, "
        "training and one evaluation. The last column says how fast a bfloat16 matrix product was around the run, as "
        "a shared machine is not always equally fast. The Trainer is set up as in the text-classification guide of "
        "transformers' documentation: padding collator, batches of 16, weight decay 0.01, as many steps as fit into "
        "the hour.\n\n"
        + markdown(head, rows)
        + "\n\n"
        + "".join(f"{_system(row)}: {row['remark']}.\n\n" for _, row in remarked.iterrows())
        + save_figure("hour", folder, _hour_figure(table), "validation accuracy against minutes")
        + f"\n\nThe model of the preset `imdb` ({settings['max_length']} tokens, {settings['truncation']}, batches of "
        f"{settings['batch_size']}, learning rate {settings['learning_rate']}, {settings['epochs']:.0f} epochs, seed "
        f"{settings['seed']}) on the {int(ours['test']):,} test reviews, which were classified once. None of them is a "
        f"training review. Without duplicates the test split has {ours['clean_test']['reviews']:,} reviews, and the "
        f"accuracies are {listed_accuracies(ours['clean_test'])}. The linear model is TF-IDF + logistic regression on "
        f"the same training reviews ({ours['linear_seconds']:.0f} seconds); the weights of the two together are fitted "
        "on the validation reviews.\n\n"
    )
    differences = {name.removeprefix("together - "): d for name, d in ours["differences"].items()}
    results = [
        (
            {"BERT": "**BERT, fine-tuned**", "linear": "linear model"}.get(name, name),
            f"{value['estimate']:.4f} [{value['low']:.4f}, {value['high']:.4f}]",
            _points(Interval(**{k: differences[name][k] for k in ("estimate", "low", "high")}))
            if name in differences
            else "",
            f"{differences[name]['p_holm']:.1g}" if name in differences else "",
        )
        for name, value in test.items()
    ]
    text += markdown(["model", "test accuracy [95 %]", "points less than together [95 %]", "p (Holm)"], results)
    text += "\n\nHow much of the error is the labels': readers read test reviews again whose label looked doubtful.\n\n"
    names = list(test)
    opinions = [
        (group, found["reviews"], *(str(Interval(**found[name])) for name in names))
        for group, found in ours["second_opinions"].items()
    ]
    text += markdown(["reviews", "number", *names], opinions)
    text += "\n\nFrom one corpus to the other:\n\n"
    transfer = [
        (name, found["train"], found["reviews"], str(Interval(found["estimate"], found["low"], found["high"])))
        for name, found in ours["transfer"].items()
    ]
    return text + markdown(["model and reviews", "trained on", "reviews", "accuracy [95 %]"], transfer)


TARGET = 0.90


def listed_accuracies(found: dict) -> str:
    """The accuracies of the three models of the hour."""
    return ", ".join(f"{found[name]['estimate']:.4f} ({name})" for name in ("BERT", "linear", "together"))


def _system(row) -> str:
    if row["system"] == "sentiment_lib":
        return "sentiment_lib, preset `imdb`"
    if row["system"] == "candidate":
        return "sentiment_lib, two epochs with 512 tokens"
    return f"Trainer, {row['length']:.0f} tokens, learning rate {row['learning_rate']:g}"


def _curve(row) -> list[tuple[float, float]]:
    """Minutes, with one evaluation, and validation accuracy."""
    tokenising = row["tokenising_seconds"]
    around = tokenising + row["evaluation_seconds"]
    return [((seconds + around) / 60, accuracy) for seconds, accuracy in row["curve"]]


@in_house_style
def _hour_figure(table: pd.DataFrame):
    figure, axes = new_figure(8, 4.5)
    rows = {_system(row).replace("`", ""): row for _, row in table.iterrows()}
    for (system, row), (color, marker) in zip(rows.items(), looks(rows).values(), strict=True):
        minutes, accuracy = np.array(_curve(row)).T
        axes[0, 0].plot(minutes, accuracy, color=color, marker=marker, label=system)
    axes[0, 0].axhline(TARGET, color="0.6", linewidth=0.8)
    axes[0, 0].set(xlabel="minutes on two cores", ylabel="validation accuracy", xlim=(0, None), ylim=(0.78, 0.94))
    axes[0, 0].legend()
    return figure


def files(folder: Path) -> str:
    """Memory and speed on files of two sizes."""
    table = table_of("files", folder)
    rows = []
    for ending, group in table.groupby("ending", sort=False):
        by_size = group.groupby("count")[["peak_mb", "reviews_per_second"]].median()
        for count, (peak, speed) in by_size.iterrows():
            first = by_size["peak_mb"].iloc[0]
            rows.append((f"{ending}, {count:,} reviews", f"{speed:.0f}", f"{peak:.0f}", f"{peak / first - 1:+.1%}"))
    head = ["file", "reviews/s", "peak MB", "against the smallest"]
    return (
        "`python -m sentiment_lib predict`, the start of the command included; model of the run `quick`, 64 tokens.\n\n"
        + markdown(head, rows)
    )


def three_ways(folder: Path) -> str:
    """Plain PyTorch, the Trainer and fine_tune."""
    from three_ways import beside_each_other

    measured = json.loads((folder / "three_ways.json").read_text(encoding="utf-8"))["measurements"]
    found = beside_each_other(measured)
    ways = [(row["way"], str(Interval(**row["accuracy"])), f"{row['seconds']:.0f}") for row in found["ways"]]
    differences = [
        (
            f"{row['second']} minus {row['first']}",
            _points(Interval(row["estimate"], row["low"], row["high"])),
            "equivalent" if row["equivalent"] else "not decided" if row["low"] < 0 < row["high"] else "different",
        )
        for row in found["differences"]
    ]
    return (
        f"The cells of lesson 03, (a) and (b), and `fine_tune` with the preset `quick`, on {found['train']:,} "
        f"sentences of the snippets with {found['seeds']} seeds. Accuracy on the {found['held_out']:,} sentences held "
        "out. The intervals hold for other seeds and other sentences.\n\n"
        + markdown(["way", "accuracy [95 %]", "seconds"], ways)
        + "\n\nTwo ways are equivalent if the interval of their difference lies within "
        f"{100 * found['margin']:.1f} points; that was decided before the measurement.\n\n"
        + markdown(["difference", "points [simultaneous 95 %]", "verdict"], differences)
    )


def negation(folder: Path) -> str:
    """Which heads carry a negation, and the repair."""
    from negation import NAMED, PLAN, RANDOM, record_of

    seeds = record_of(json.loads((folder / "negation.json").read_text(encoding="utf-8"))["measurements"])["seeds"]
    heads = []
    for name, title in (("named", "named in the same model"), ("pilot", "named in the model of seed 100")):
        found = [seed["before"]["heads"][name] for seed in seeds]
        shares = [one["recovered"] for one in found]
        best = [max(one["random"]) for one in found]
        heads.append(
            (title, f"{min(shares):.2f} to {max(shares):.2f}", f"{min(best):.2f} to {max(best):.2f}",
             f"{max(one['p'] for one in found):.2f}")
        )  # fmt: skip
    blame = {arm: np.array([seed[arm]["pairs"]["sealed, negated blame"] for seed in seeds]) for arm in ARMS}
    right = {arm: np.stack([unpacked(seed[arm]["reviews"], seed["sealed"]) for seed in seeds]) for arm in ARMS}
    rows = [(arm, f"{blame[arm].mean():.3f}", str(crossed_interval(right[arm]))) for arm in ARMS]
    effect = crossed_interval(blame["negated"] - blame["plain"])
    costs = {other: crossed_interval(right["negated"] - right[other]) for other in ("plain", "before")}
    return (
        f"{NAMED} heads are named by patching pairs such as *really good* / *not good* and tested on other templates "
        f"with other adjectives, beside {RANDOM} sets with as many heads of the same layers; {len(seeds)} seeds. Share "
        "of the difference that comes back:\n\n"
        + markdown(["heads", "comes back", "best random set", "largest p"], heads)
        + "\n\nThe repair: further training on template sentences with a negation, or as many without one. Right "
        "answers to negated blame on sealed templates, and accuracy on sealed reviews:\n\n"
        + markdown(["model", "negated blame", "reviews [95 %]"], rows)
        + f"\n\nEffect, negated minus plain: {effect}. Cost in points: {_points(costs['plain'])} beside the plain arm, "
        f"{_points(costs['before'])} beside the model before. By the rule set beforehand (effect above "
        f"{PLAN['smallest_effect']}, cost above −{100 * PLAN['largest_cost']:.0f} points) the repair works and is free."
    )


def lora(folder: Path) -> str:
    """Low-rank adapters beside full fine-tuning."""
    from lora import beside_each_other

    found = beside_each_other(json.loads((folder / "lora.json").read_text(encoding="utf-8"))["measurements"])
    rows = [
        (way["way"], f"{way['rate']:g}", f"{way['trained']:,}", str(Interval(**way["accuracy"])),
         f"{way['seconds']:.0f}")
        for way in found["ways"]
    ]  # fmt: skip
    return (
        f"The same Trainer, batches and epochs on {found['train']:,} sentences with {found['seeds']} seeds; adapters "
        f"of rank {found['rank']} on queries and values. Accuracy on {found['held_out']:,} held-out sentences. The "
        "learning rates were chosen on other sentences, with another seed.\n\n"
        + markdown(["way", "learning rate", "trained parameters", "accuracy [95 %]", "seconds"], rows)
        + f"\n\nLoRA minus full, in points: {_points(Interval(**found['difference']))}."
    )


def gpu(folder: Path) -> str:
    """A GPU beside the CPU and beside the Trainer."""
    measured = json.loads((folder / "gpu.json").read_text(encoding="utf-8"))["measurements"]
    parts = {part: [row for row in measured if row["job"]["part"] == part] for part in PARTS}
    (agreement,), (determinism,), (processes,) = (parts[name] for name in ("agreement", "determinism", "processes"))
    logits = [
        (
            f"{row['count']:,} {row['texts']}, {row['precision']}, {row['attention']}",
            *(f"{row[number]:.2g}" for number in ("largest", "median")),
            row["labels_changed"],
        )
        for row in agreement["logits"]
    ]
    runs = ", ".join(f"{row['device']} in {row['precision']} {row['accuracy']:.3f}" for row in agreement["training"])
    first, *others = (np.array(row["losses"]) for row in agreement["training"])
    apart = ", ".join(f"{np.abs(other - first).max():.1g}" for other in others)
    equal = "equal to the last bit" if determinism["weights_equal"] else "not equal"
    text = (
        "The bundled model after a training on the CPU in float32 gives these logits on the GPU; differences are from "
        "those on the CPU:"
        f"\n\n{markdown(['texts, precision, attention', 'largest', 'median', 'labels changed'], logits)}\n\n"
        f"One epoch of the same training, held-out accuracy: {runs}. The largest differences of the training losses "
        f"from those on the CPU: {apart}. The weights after the same training twice on the GPU: {equal}. "
        + ("Two processes on two GPUs were tried." if processes["tried"] else "Two GPUs: not tried, there was one.")
    )
    for part, of, what in (("training", "reviews", "Training"), ("inference", "texts", "Inference")):
        rows = [
            (
                f"{row['job']['size'].replace('given', 'bundled')}, {row['job']['tokens']} tokens: {name}",
                f"{speed[f'{of}_per_second']:.0f}",
                f"{min(speed['all']):.0f} to {max(speed['all']):.0f}",
                f"{speed['peak_gpu_mb']:.0f}",
            )
            for row in parts[part]
            for name, speed in row["systems"].items()
        ]
        if rows:
            text += f"\n\n{what}, medians of rounds in turn; BERT-base has random weights:\n\n"
            text += markdown(["system", f"{of}/s", "lowest to highest", "peak MB of the GPU"], rows)
        else:
            text += f"\n\n{what}: not measured yet."
    return text


def baselines(folders: list[Path]) -> str:
    """Accuracy of all methods on the same test reviews, as in the README; the processor does not matter."""
    table = pd.concat([table_of("baselines", folder) for folder in folders]).set_index("preset").sort_index()[::-1]
    accuracies = {preset: dict(table.loc[preset, "accuracy"]) for preset in table.index}
    (hour,) = (  # BERT on IMDB is measured by hour.py
        json.loads(path.read_text(encoding="utf-8"))["measurements"] for path in RECORDS.glob("*/hour.json")
    )
    ours = next(row for row in hour if "test_accuracy" in row)
    assert ours["test"] == table.loc["imdb", "test"]
    accuracies["imdb"]["BERT"] = ours["test_accuracy"]["BERT"]
    sizes = [f"`{p}`: {row['train']:,} for training, {row['test']:,} for test" for p, row in table.iterrows()]
    head = ["test accuracy [95 % interval]", *sizes]
    rows = [
        (
            name if name != "BERT" else "**BERT, fine-tuned**",
            *(str(Interval(**accuracies[preset][name])) for preset in accuracies),
        )
        for name in accuracies["quick"]
    ]
    return markdown(head, rows)


def page_engine(folder: Path) -> str:
    """How exact and how fast a page's engine is."""
    table = table_of("page_engine", folder)
    accuracy = [
        (
            row.weights,
            f"{row.megabytes:.1f}",
            f"{row.largest:.4f}",
            f"{row.median:.4f}",
            f"{row.within_a_tenth:.1%}",
            f"{row.labels_changed:.0f} of {row.count}",
        )
        for row in table[table["part"] == "accuracy"].itertuples(index=False)
    ]
    speed = [
        (f"{row.system}, {row.weights}", *(f"{median(getattr(row, name)):,.0f}" for name in TIMED))
        for row in table[table["part"] == "speed"].itertuples(index=False)
    ]
    head = ["weights", "MB of the script", "largest difference of a logit", "median", "at most 0.1", "labels changed"]
    return (
        f"Logits in headless Chromium beside those of PyTorch in float32:\n\n{markdown(head, accuracy)}\n\nMedians in "
        f"milliseconds over {table['count'].min()} texts of {TOKENS} tokens; ready: from opening the page:\n\n"
        + markdown(["engine", "ready", "first answer", "a head of the upper half off", "all heads' needs"], speed)
    )


SECTIONS: dict[str, tuple[str, Callable[..., str]]] = {
    "training": ("Training, against the Trainer", training),
    "levers": ("What brings what", levers),
    "alone": ("Does each measure pay for itself?", alone),
    "roofline": ("How near to the processor's limit", roofline),
    "inference": ("Inference, against pipeline and ONNX Runtime", inference),
    "files": ("Files of any size", files),
    "growth": ("How cost grows", growth),
    "candidates": ("Which recipe", candidates),
    "hour": ("What an hour buys", hour),
    "three_ways": ("Plain PyTorch, the Trainer, fine_tune", three_ways),
    "baselines": ("Beside simpler methods", baselines),
    "gpu": ("On a GPU", gpu),
    "negation": ("Heads that carry a negation, and a repair", negation),
    "lora": ("Adapters beside full fine-tuning", lora),
    "page_engine": ("The model in a page", page_engine),
}


def _provenance(question: str, record: dict) -> str:
    dates = sorted({row["date"] for row in record["measurements"]})
    facts = record["machine"]
    versions = ", ".join(f"{k.removeprefix('version of ')} {v}" for k, v in facts.items() if "version of" in k)
    return (
        f"*{' to '.join(distinct((dates[0], dates[-1])))}; {facts['processor']}, {facts['processor cores in use']} "
        f"cores, {facts['memory (GB)']} GB; {versions}. `python benchmarks/{question}.py`*"
    )


def main() -> None:
    """Write RESULTS.md."""
    parts = [
        "# What was measured\n\nMade by `python benchmarks/report.py` from the records of single measurements in "
        "`records/`; `make bench IMDB=folder` measures what is not on record. Candidates of a table "
        "ran in turn (A B A B) or, for growth and files, once; each in a process of its own, with nothing else on the "
        "machine. Where a row was measured anew, on the date that is named below, the others are of the days before.\n"
    ]
    for question, (title, section) in SECTIONS.items():
        parts.append(f"## {title}\n")
        folders = sorted(path.parent for path in RECORDS.glob(f"*/{question}.json"))
        if not folders:
            parts.append(f"Not measured yet: `python benchmarks/{question}.py`.\n")
            continue
        records = [json.loads((folder / f"{question}.json").read_text(encoding="utf-8")) for folder in folders]
        sources = [_provenance(question, record) for record in records]
        if section in (levers, baselines):  # one table for all processors
            parts.append("\n\n".join([section(folders), *sources]) + "\n")
            continue
        for folder, record, source in zip(folders, records, sources, strict=True):
            if len(folders) > 1:
                parts.append(f"### {title}: {record['machine']['processor']}\n")
            parts.append(f"{section(folder)}\n\n{source}\n")
    path: Path = HERE / "RESULTS.md"
    with replacing(path) as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
