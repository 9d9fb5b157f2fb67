"""Exercises of lesson 08."""

from __future__ import annotations

import math
import re

import numpy as np
from scipy import stats

from sentiment_lib.experiments import BERT, METHODS, Trial, trial_settings

from ...errors import SettingsError
from ...settings import make_settings
from .checking import refuse
from .exercise import Wrong, exercise


@exercise(
    "08.1",
    "What halves an interval",
    "predict",
    task="""
    A model has an accuracy of 0.{accuracy} on {tests:,} test reviews. Predict: half the width of its 95 % interval in
    points (one point is 0.01 of accuracy); how many test reviews make it half as wide; and, for a mean over {seeds}
    seeds, how many seeds make *its* interval half as wide, if only the standard error counts and the *t* factor is left
    out of account.
    """,
    hints=(
        "The standard error of an accuracy p on n reviews is √(p(1 − p)/n); half the width is 1.96 of these. How does "
        "it depend on n?",
        "√(0.86 · 0.14 / 2,000) = 0.0078, times 1.96. And n is under a root: for half the width, √n must double. "
        "The same holds for seeds.",
    ),
)
def what_halves(*, accuracy=86, tests=2000, seeds=3):
    half_width = 1.96 * (accuracy * (100 - accuracy) / tests) ** 0.5  # answer
    tests_needed = 4 * tests  # answer
    seeds_needed = 4 * seeds  # answer
    return half_width, tests_needed, seeds_needed


def _halving(n, width=1.0, tests=4, seeds=4):
    return width * what_halves.function(**vars(n))[0], tests * n.tests, seeds * n.seeds


what_halves.wrong("not 5 points", lambda n: (0.05, *_halving(n)[1:]))
what_halves.wrong("whole width", lambda n: _halving(n, width=2))
what_halves.wrong("one standard error", lambda n: _halving(n, width=1 / 1.96))
what_halves.wrong("Twice as many reviews", lambda n: _halving(n, tests=2))
what_halves.wrong("Twice as many seeds", lambda n: _halving(n, seeds=2))


@what_halves.varied
def _(rng):
    return {"accuracy": rng.integers(71, 84), "tests": 100 * rng.integers(24, 60), "seeds": rng.integers(4, 9)}


@what_halves.checker
def _(half_width, reviews, seeds, n):
    half_width, reviews, seeds = float(half_width), float(reviews), float(seeds)
    points = half_width if half_width > 0.1 else 100 * half_width  # 0.015 is the same as 1.5 points
    share = points / _halving(n)[0]
    refuse(
        (1.7 <= share <= 2.25, "That is the whole width, from low to high. Half of it is asked for."),
        (0.46 <= share <= 0.56, "That is one standard error. For a 95 % interval it is multiplied by a factor."),
        (
            not 0.86 <= share <= 1.12,
            f"Half the width is not {points:.3g} points. Begin with the standard error, √(p(1 − p)/n).",
        ),
        (np.isclose(reviews, 2 * n.tests), "Twice as many reviews make the interval narrower by √2 only."),
        (
            not 3.95 <= reviews / n.tests <= 4.05,
            f"{reviews:g} test reviews do not halve it. The width goes with 1/√n.",
        ),
        (np.isclose(seeds, 2 * n.seeds), "Twice as many seeds make the standard error smaller by √2 only."),
        (
            not np.isclose(seeds, 4 * n.seeds),
            f"{seeds:g} seeds do not halve the standard error of a mean over {n.seeds}. It goes with 1/√n as well.",
        ),
    )
    return "With the t factor, five seeds are enough to halve the interval of three. The first few are worth most."


@exercise(
    "08.2",
    "The same draws, the same seeds",
    "write",
    task="""
    `first` and `second` are arrays: the accuracies of two methods, in the same order of seeds, at least two. Return
    `(mean, low, high)`: the mean of the paired differences, first minus second, and its 95 % interval by Student's *t*.
    """,
    hints=(
        "Take the differences first. What is left is the interval of one mean: n numbers, n − 1 degrees of freedom.",
        "Half the width is `stats.t.ppf(0.975, n - 1)` times the standard error, which is `difference.std(ddof=1)` "
        "divided by `np.sqrt(n)`.",
    ),
)
def paired_interval(first, second):
    """Mean of first - second over seeds, and its 95 % interval."""
    difference = first - second
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    half = stats.t.ppf(0.975, len(difference) - 1) * error
    return difference.mean(), difference.mean() - half, difference.mean() + half


def _around(first, second, half):
    mean = (first - second).mean()
    return mean, mean - half, mean + half


@paired_interval.wrong("not paired")
def _(first, second):
    error = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / len(first))
    return _around(first, second, stats.t.ppf(0.975, 2 * len(first) - 2) * error)


@paired_interval.wrong("normal distribution")
def _(first, second):
    return _around(first, second, 1.96 * stats.sem(first - second))


@paired_interval.wrong("ddof")
def _(first, second):
    return _around(first, second, stats.t.ppf(0.975, len(first) - 1) * stats.sem(first - second, ddof=0))


@paired_interval.wrong("single differences")
def _(first, second):
    return _around(first, second, stats.t.ppf(0.975, len(first) - 1) * (first - second).std(ddof=1))


@paired_interval.checker
def _(paired):
    from ...evaluation.uncertainty import mean_interval

    for n in (3, 5, 2, 10):
        rng = np.random.default_rng(n)
        luck = rng.normal(0, 0.03, n)
        first, second = 0.82 + luck + rng.normal(0, 0.004, n), 0.80 + luck + rng.normal(0, 0.004, n)
        given = first.copy(), second.copy()
        found = paired(*given)
        if np.shape(found) != (3,):
            raise Wrong("It must return three numbers: mean, low, high.")
        mean, low, high = map(float, found)
        right, difference = mean_interval(first - second), first - second
        if np.isclose(mean, -right.estimate):
            raise Wrong("The sign is turned: first minus second is asked for.")
        if not np.isclose(mean, right.estimate):
            raise Wrong(f"For {n} seeds the mean of the differences is not {mean:.4f}. The order is mean, low, high.")
        if np.allclose([low, high], [right.low, right.high]):
            continue
        t, error = stats.t.ppf(0.975, n - 1), stats.sem(difference)
        pooled = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / n)
        welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
        apart = [t * pooled, 1.96 * pooled, stats.t.ppf(0.975, 2 * n - 2) * pooled, (welch.high - welch.low) / 2]
        for half, message in (
            (apart, "That is not paired: the luck of the draw, which both share, is still in it."),
            ([1.96 * error, stats.norm.ppf(0.975) * error], "1.96 is the factor of the normal distribution."),
            ([t * difference.std() / np.sqrt(n)], "Your standard deviation divides by n, not by n − 1. Look up ddof."),
            ([t * difference.std(ddof=1)], "That is the spread of single differences, not of their mean."),
            ([stats.t.ppf(0.95, n - 1) * error], "5 % are left out at each end; of a 95 % interval it is 5 % in all."),
            ([stats.t.ppf(0.975, n) * error], "The degrees of freedom are one too many."),
        ):
            if np.isclose((high - low) / 2, half).any():
                raise Wrong(f"{message} (Seen with {n} seeds.)")
        raise Wrong(f"With {n} seeds, {low:.4f} to {high:.4f} is not the interval. Are both ends equally far away?")
    return "Pairing takes out what both methods share; here the unpaired interval would be several times as wide."


@paired_interval.probed()
def _(paired, rng):
    return [paired(*rng.normal([[0.82], [0.8]], 0.02, (2, n))) for n in rng.integers(3, 9, 4)]


@exercise(
    "08.3",
    "How many reviews a claim needs",
    "write",
    task="""
    Write the formula of the lesson: how many test reviews find a `difference` *d* of two accuracies in 8 of 10 cases at
    the 5 % level, if the models disagree on the share `disagree`, *q*, of the reviews? It is (1.96 + 0.84)² · (q − d²)
    / d². Both are shares, such as 0.02 and 0.23. Return an int, rounded up.
    """,
    hints=(
        "Write it down as it stands, with brackets. d is squared in two places, and so is the sum.",
        "`(1.96 + 0.84) ** 2 * (disagree - difference**2) / difference**2`, in `math.ceil(...)`, which rounds up.",
    ),
)
def reviews_needed(difference, disagree):
    """Test reviews that a difference needs to be seen."""
    squared = difference**2
    return math.ceil((1.96 + 0.84) ** 2 * (disagree - squared) / squared)


reviews_needed.wrong("a square is missing", lambda d, q: math.ceil((1.96 + 0.84) * (q - d**2) / d**2))
reviews_needed.wrong("swapped", lambda d, q: reviews_needed(q, d))
reviews_needed.wrong("rounded down", lambda d, q: int(7.84 * (q - d**2) / d**2))
reviews_needed.wrong("not a whole number", lambda d, q: 7.84 * (q - d**2) / d**2)


@reviews_needed.checker
def _(needed):
    def formula(d, q, factor=7.84):
        return factor * (q - d**2) / d**2

    for d, q in ((0.02, 0.2262), (0.05, 0.2262), (0.013, 0.1), (0.3, 0.4), (0.0051, 0.07)):
        found, right = float(needed(d, q)), formula(d, q)
        exact = formula(d, q, (1.959964 + 0.841621) ** 2)
        if found in (math.ceil(right), math.ceil(exact)):
            continue
        case = f"For a difference of {d} and a disagreement of {q}"
        if np.isclose(found, [right, exact], rtol=1e-9).any() and found != round(found):
            raise Wrong(f"{case}, {found:.2f} is not a whole number.")
        if found in (math.floor(right), round(right)):
            raise Wrong(f"{case} it is rounded down; then there is one review too few.")
        if np.isclose(found, formula(q, d), atol=1):
            raise Wrong(f"{case}: difference and disagreement are swapped.")
        missing = formula(d, q, 2.8), 7.84 * (q - d**2) / d, 7.84 * (q - d) / d**2, 7.84 * (q - d) / d
        if np.isclose(found, missing, atol=1).any():
            raise Wrong(f"{case} it is not {found:g}: a square is missing.")
        raise Wrong(f"{case} it is not {found:g}. Compare the brackets with those of the formula.")
    return "Half the difference needs four times the reviews, and models that agree more often need fewer."


@reviews_needed.probed()
def _(needed, rng):
    draws = [(rng.uniform(0.1, 0.2), rng.uniform(0.22, 0.4)) for _ in range(40)]
    exact = [(1.959964 + 0.841621) ** 2 * (q - d**2) / d**2 for d, q in draws]  # such factors are also accepted
    return [needed(d, q) for (d, q), most in zip(draws, exact, strict=True) if most % 1 > 0.5]


@exercise(
    "08.4",
    "Holm's correction",
    "write",
    task="""
    `p_values` is an array of m p values. Holm: multiply the smallest by m, the next by m − 1, and so on, the largest by
    1. No corrected value may be smaller than one that comes before it in this order of size, nor greater than 1. Return
    the corrected values in the order in which the p values were given.
    """,
    hints=(
        "Go through the p values from the smallest to the largest, but remember where each stood: `np.argsort`.",
        "Keep the largest corrected value so far: `largest = max(largest, (m - rank) * p)`. Put `min(1.0, largest)` "
        "where that p value stood.",
    ),
)
def holm(p_values):
    """P values corrected for their number, in their order."""
    m, largest, corrected = len(p_values), 0.0, np.empty(len(p_values))
    for rank, which in enumerate(np.argsort(p_values)):
        largest = max(largest, (m - rank) * p_values[which])
        corrected[which] = min(1.0, largest)
    return corrected


holm.wrong("Bonferroni", lambda p_values: np.minimum(1, len(p_values) * p_values))


@holm.wrong("overtakes")
def _(p_values):
    corrected = np.empty(len(p_values))
    for rank, which in enumerate(np.argsort(p_values)):
        corrected[which] = min(1, (len(p_values) - rank) * p_values[which])
    return corrected


holm.wrong("order of size", lambda p_values: holm(np.sort(p_values)))


@holm.wrong("greater than 1")
def _(p_values):
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    return corrected


@holm.checker
def _(correct):
    from ...evaluation.significance import holm as reference

    for given in ([0.03, 0.005, 0.04, 0.01], [0.02], [0.011, 0.6, 0.012, 0.7, 0.001], [0.02, 0.02, 0.3], [0.9, 0.8]):
        p = np.array(given)
        found, right, order = np.asarray(correct(p.copy()), dtype=float), np.array(reference(given)), np.argsort(p)
        if found.shape != p.shape:
            raise Wrong(f"It must return as many values as there are p values; for {given} the shape is {found.shape}.")
        if np.allclose(found, right):
            continue
        steps, sidak = np.empty(len(p)), np.empty(len(p))
        factors = np.arange(len(p), 0, -1)
        steps[order] = p[order] * factors
        sidak[order] = np.maximum.accumulate(1 - (1 - p[order]) ** factors)
        for value, message in (
            (
                np.minimum(1, len(p) * p),
                "That is Bonferroni, which multiplies all by m. Holm takes less from step to step.",
            ),
            (np.minimum(1, steps), "A smaller p value overtakes a greater one by its factor. Keep the largest so far."),
            (steps, "A smaller p value overtakes a greater one by its factor. Keep the largest so far."),
            (np.sort(right), "These are in their order of size. Return them in the order in which they were given."),
            (stats.false_discovery_control(p), "That is Benjamini and Hochberg's, which limits another error."),
            (sidak, "That is Holm's with Šidák's formula. Multiply by m, m − 1, ..."),
        ):
            if np.allclose(found, value):
                raise Wrong(f"{message} (Seen for {given}.)")
        if (found > 1).any():
            raise Wrong(f"A p value is never greater than 1; for {given} there is {found.max():.3f}.")
        raise Wrong(f"For {given} it is not {np.round(found, 4).tolist()}.")
    return "Holm is never less powerful than Bonferroni, and just as safe. So there is no reason for Bonferroni."


@holm.probed()
def _(correct, rng):
    return [correct(rng.beta(0.5, 1, int(count))) for count in rng.integers(5, 12, 8)]


@exercise(
    "08.5",
    "An experiment of your own",
    "investigate",
    task="""
    Plan an experiment that compares two arms, or more. Write four sentences, each in quotes: the question, what is
    measured, by which rule you will decide, and what would surprise you. Then list its trials, `Trial(method,
    train_size, seed, changes)`. The arms differ in one thing only: the method, the number of reviews, or one setting in
    `changes`, a dict. All have the same seeds, three or more. `METHODS` holds the names of the methods; use `arms` if
    it helps.
    """,
    hints=(
        "Begin with the question: what is varied, and what is kept equal? Its two values are your arms. A rule says "
        "which numbers lead to which conclusion.",
        "Such as: `[Trial(BERT, 300, seed, changes) for changes in arms for seed in (0, 1, 2)]` with two dicts in "
        "`arms` that differ in one value. The rule may be about the interval of the paired difference.",
    ),
    extra_imports=("METHODS",),
)
def own_experiment():
    question = "Does dropout of 0.1 help when there are 300 labelled reviews?"  # answer
    measured = "Accuracy on the validation split, once per trial."  # answer
    decision = "It helps if the 95 % interval of the paired difference over seeds lies above 0."  # answer
    surprise = "A clear loss: without dropout it is better by more than a point."  # answer
    plan = {"question": question, "measured": measured, "decision": decision, "surprise": surprise}

    arms = [{"dropout": 0.0}, {"dropout": 0.1}]  # answer
    trials = [Trial(BERT, 300, seed, changes) for changes in arms for seed in range(3)]  # answer
    return plan, trials


_PLAN, _TRIALS = own_experiment()
own_experiment.wrong(
    "more than one thing",
    _PLAN,
    [Trial(BERT, n, seed, {"dropout": p}) for n, p in ((100, 0.0), (300, 0.1)) for seed in range(3)],
)
own_experiment.wrong(
    "not the same seeds",
    _PLAN,
    [Trial(BERT, 300, seed, {"dropout": p}) for first, p in ((0, 0.0), (3, 0.1)) for seed in range(first, first + 3)],
)
own_experiment.wrong("at least three seeds", _PLAN, [trial for trial in _TRIALS if trial.seed < 2])
own_experiment.wrong("decides nothing", _PLAN | {"decision": "We look at the results and then decide."}, _TRIALS)
own_experiment.wrong("twice", _PLAN, [Trial(method, 300, 0) for method in METHODS[:2] for _ in range(3)])


_DECIDES = (
    r"\d|[<>≤≥]|\bp\b|interval|differ|threshold|exclu|signific|point|margin|least|most|more|less|above|below|larger|"
    r"smaller|higher|lower|greater"
)


@own_experiment.checker
def _(plan, trials):
    asked = ("question", "measured", "decision", "surprise")
    if not isinstance(plan, dict) or set(asked) - set(plan):
        raise Wrong(f"plan must be a dict with the entries {', '.join(asked)}.")
    for name in asked:
        if not isinstance(plan[name], str) or len(re.findall(r"\w+", plan[name])) < 4:
            raise Wrong(f"The entry {name!r} of the plan is not a sentence yet. Write four words or more, in quotes.")
    if not re.search(_DECIDES, plan["decision"].lower()):
        raise Wrong(
            "This rule decides nothing: two people could read the same numbers in two ways. Name an interval, a "
            "difference, a p value or a threshold, and what follows from it."
        )
    if not isinstance(trials, list | tuple) or not trials or not all(isinstance(trial, Trial) for trial in trials):
        raise Wrong("trials must be a list of Trial(method, train_size, seed, changes).")
    arms: list[tuple[dict, list]] = []
    for trial in trials:
        _can_be_run(trial)
        if trial.changes and trial.method != BERT:
            raise Wrong(f"{trial.name}: changes are settings of BERT; for {trial.method} they change nothing.")
        arm = {"method": trial.method, "train_size": trial.train_size, **trial.changes}
        seeds = next((known for other, known in arms if other == arm), None)
        if seeds is None:
            arms.append((arm, seeds := []))
        if trial.seed in seeds:
            raise Wrong(f"{trial.name} is there twice. It would give the same number again.")
        seeds.append(trial.seed)
    settings, seeds = zip(*arms, strict=True)
    if len(arms) < 2:
        raise Wrong("There is one arm only. What is it compared with?")
    varied = [key for key in dict.fromkeys(key for arm in settings for key in arm) if _differs(key, settings)]
    if len(varied) > 1:
        raise Wrong(
            f"The arms differ in more than one thing: {', '.join(varied)}. If one arm is better, which of them was it?"
        )
    if len({frozenset(numbers) for numbers in seeds}) > 1:
        raise Wrong("The arms have not the same seeds. Only the same seed draws the same reviews, and makes pairs.")
    if len(seeds[0]) < 3:
        raise Wrong(f"With {len(seeds[0])} for each arm, an interval says next to nothing. Take at least three seeds.")
    return (
        f"These are {len(trials)} trials: {len(arms)} arms that differ in {varied[0]}, {len(seeds[0])} seeds each. "
        "Give them to run_trials, as the lesson does, and keep to your rule."
    )


def _differs(key, arms):
    return any(arm.get(key, ...) != arms[0].get(key, ...) for arm in arms)


def _can_be_run(trial):
    if not isinstance(trial.changes, dict):
        raise Wrong("The changes of a trial are a dict, such as {'learning_rate': 2e-4}.")
    refused = {"train_size", "seed", "preset", "run"} & set(trial.changes)
    if refused:
        raise Wrong(f"{trial.name}: {min(refused)} cannot be among the changes.")
    try:
        trial_settings(trial, make_settings())
    except SettingsError as error:
        raise Wrong(f"It cannot be run: {error}") from error


@exercise(
    "08.6",
    "What the known reviews are for",
    "investigate",
    task="""
    The repair mixes known reviews in, so that the model does not forget. Does yours need them? Train it further in the
    *negated* arm without any (`repair_set(..., known=0)`), for three times the epochs, so that it takes about as many
    steps. Compare it with `repaired["negated"]` of the lesson on the *validation* reviews: which did each get right?
    Give both as arrays of truth values, the difference of the accuracies (with minus without), and your verdict by the
    paired 95 % interval that `compare_means` returns: `"help"`, `"harm"` or `"not decided"`.
    """,
    hints=(
        "`train_further(model, tokenizer, sentences, settings, **rates)` returns a classifier with `predict(texts)`.",
        '`compare_means({"with": with_known, "without": without}, [("with", "without")])` has `low` and `high`.',
    ),
    call="with_known, without, difference, verdict",
)
def known_reviews(*, settings, dataset, negation, repaired, trained_model, repair_set, train_further):
    from sentiment_lib.evaluation import compare_means

    model, tokenizer = trained_model(settings, dataset)
    sentences = repair_set(dataset["train"], "negated", settings.seed, known=0)
    rates = {"learning_rate": negation["plan"]["learning_rate"], "epochs": 3 * negation["plan"]["epochs"]}
    labels = np.array(dataset["validation"]["label"])
    alone = train_further(model, tokenizer, sentences, settings, **rates)  # answer
    with_known = (repaired["negated"].predict(dataset["validation"]["text"]) >= 0.5) == labels  # answer
    without = (alone.predict(dataset["validation"]["text"]) >= 0.5) == labels  # answer
    pair = {"with": with_known, "without": without}
    found = compare_means(pair, [("with", "without")]).iloc[0]  # answer
    difference = found["estimate"]  # answer
    verdict = "help" if found["low"] > 0 else "harm" if found["high"] < 0 else "not decided"  # answer
    return with_known, without, difference, verdict


_WITH = np.repeat([1, 1, 0, 0], [700, 200, 50, 50])
_WITHOUT = np.repeat([1, 0, 1, 0], [700, 200, 50, 50])
known_reviews.wrong("turned around", _WITH, _WITHOUT, -0.15, "harm")
known_reviews.wrong("lies above 0", _WITH, _WITHOUT, 0.15, "not decided")
known_reviews.wrong("the same reviews", _WITH, _WITHOUT[:900], 0.15, "help")
known_reviews.wrong("same answers", _WITH, _WITH, 0.0, "not decided")


@known_reviews.checker
def _(with_known, without, difference, verdict):
    first, second = (np.asarray(one, dtype=float) for one in (with_known, without))
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise Wrong("Both arrays need one number for each of the same reviews.")
    if not (np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all()):
        raise Wrong("Each array holds True for a right answer and False for a wrong one.")
    if (first == second).all():
        raise Wrong("Both arrays hold the same answers: was the second model trained without known reviews?")
    gaps = first - second
    low, high = gaps.mean() + np.array([-1.96, 1.96]) * gaps.std() / np.sqrt(gaps.size)
    side = "above" if low > 0 else "below" if high < 0 else ""
    right = {"above": "help", "below": "harm", "": "not decided"}[side]
    refuse(
        (np.isclose(float(difference), -gaps.mean()) and gaps.mean(), "The difference is turned around."),
        (not np.isclose(float(difference), gaps.mean(), atol=1e-6), f"The difference is not {difference}."),
        (verdict != right and side, f"The paired interval [{low:.3f}, {high:.3f}] lies {side} 0."),
        (verdict != right, f"The paired interval [{low:.3f}, {high:.3f}] contains 0."),
    )
    return (
        f"{gaps.mean():+.3f} [{low:+.3f}, {high:+.3f}]. That is about these two models on other reviews, and not about "
        "the method: for that, plan more seeds."
    )
