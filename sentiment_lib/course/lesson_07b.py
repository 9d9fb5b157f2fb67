"""Exercises of lesson 07, continued: Holm's correction, and an experiment of one's own."""

from __future__ import annotations

import re

import numpy as np

from .exercises import Wrong, exercise

_SENTENCES = """
question = "Does dropout of 0.1 help when there are 300 labelled reviews?"
measured = "Accuracy on the validation split, once a trial."
decision = "{decision}"
surprise = "A clear loss of accuracy with dropout."
plan = {{"question": question, "measured": measured, "decision": decision, "surprise": surprise}}
"""
_PLAN = _SENTENCES.format(decision="It helps if the 95 % interval of the paired difference lies above 0.")
_DECIDES = (
    r"\d|[<>≤≥]|\bp\b|interval|differ|threshold|exclu|signific|point|margin|least|most|more|less|above|below|larger|"
    r"smaller|higher|lower|greater"
)


@exercise(
    "07.4",
    "Holm's correction",
    "write",
    task="""
    `p_values` is an array of m p values. Holm: multiply the smallest by m, the next by m − 1, and so on, the largest by
    1. No corrected value may be smaller than one that comes before it in this order of size, nor greater than 1. Return
    the corrected values in the order in which the p values were given.
    """,
    code='''
import numpy as np


def holm(p_values):
    """P values corrected for their number, in their order."""
    #| solution
    m, largest, corrected = len(p_values), 0.0, np.empty(len(p_values))
    for rank, which in enumerate(np.argsort(p_values)):
        largest = max(largest, (m - rank) * p_values[which])
        corrected[which] = min(1.0, largest)
    return corrected
    #| end
''',
    answer="holm",
    hints=(
        "Go through the p values from the smallest to the largest, but remember where each stood: `np.argsort`.",
        "Keep the largest corrected value so far: `largest = max(largest, (m - rank) * p)`. Put `min(1.0, largest)` "
        "where that p value stood.",
    ),
    wrong=[
        ("return np.minimum(1, len(p_values) * p_values)", "Bonferroni"),
        (
            """
            corrected = np.empty(len(p_values))
            for rank, which in enumerate(np.argsort(p_values)):
                corrected[which] = min(1, (len(p_values) - rank) * p_values[which])
            return corrected
            """,
            "overtakes",
        ),
        (
            """
            ordered = np.sort(p_values)
            corrected = np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1))
            return np.minimum(1, corrected)
            """,
            "order of size",
        ),
        (
            """
            order = np.argsort(p_values)
            corrected = np.empty(len(p_values))
            corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
            return corrected
            """,
            "greater than 1",
        ),
    ],
)
def _holm(correct):
    from statsmodels.stats.multitest import multipletests

    from ..evaluation.significance import holm

    for given in ([0.03, 0.005, 0.04, 0.01], [0.02], [0.011, 0.6, 0.012, 0.7, 0.001], [0.02, 0.02, 0.3], [0.9, 0.8]):
        p = np.array(given)
        found, right, order = np.asarray(correct(p.copy()), dtype=float), np.array(holm(given)), np.argsort(p)
        if found.shape != p.shape:
            raise Wrong(f"It must return as many values as there are p values; for {given} the shape is {found.shape}.")
        if np.allclose(found, right):
            continue
        steps = np.empty(len(p))
        steps[order] = p[order] * np.arange(len(p), 0, -1)
        for value, said in (
            (
                np.minimum(1, len(p) * p),
                "That is Bonferroni, which multiplies all by m. Holm takes less from step to step.",
            ),
            (np.minimum(1, steps), "A smaller p value overtakes a greater one by its factor. Keep the largest so far."),
            (steps, "A smaller p value overtakes a greater one by its factor. Keep the largest so far."),
            (np.sort(right), "These are in their order of size. Return them in the order in which they were given."),
            (multipletests(p, method="fdr_bh")[1], "That is Benjamini and Hochberg's, which limits another error."),
            (
                multipletests(p, method="holm-sidak")[1],
                "That is Holm's with Šidák's formula. Multiply by m, m − 1, ...",
            ),
        ):
            if np.allclose(found, value):
                raise Wrong(f"{said} (Seen for {given}.)")
        if (found > 1).any():
            raise Wrong(f"A p value is never greater than 1; for {given} there is {found.max():.3f}.")
        raise Wrong(f"For {given} it is not {np.round(found, 4).tolist()}.")
    return "Holm is never less powerful than Bonferroni, and just as safe. So there is no reason for Bonferroni."


@exercise(
    "07.5",
    "An experiment of your own",
    "investigate",
    task="""
    Plan an experiment that compares two arms, or more. Write four sentences, each in quotes: the question, what is
    measured, by which rule you will decide, and what would surprise you. Then list its trials,
    `Trial(method, train_size, seed, changes)`. The arms differ in one thing only: the method, the number of reviews, or
    one setting in `changes`, a dict. All have the same seeds, three or more. `METHODS` holds the names of the methods;
    use `arms` if it helps.
    """,
    code="""
from sentiment_lib.trials import BERT, METHODS, Trial

question = "Does dropout of 0.1 help when there are 300 labelled reviews?"  #| answer
measured = "Accuracy on the validation split, once a trial."  #| answer
decision = "It helps if the 95 % interval of the paired difference over seeds lies above 0."  #| answer
surprise = "A clear loss: without dropout it is better by more than a point."  #| answer
plan = {"question": question, "measured": measured, "decision": decision, "surprise": surprise}

arms = [{"dropout": 0.0}, {"dropout": 0.1}]  #| answer
trials = [Trial(BERT, 300, seed, changes) for changes in arms for seed in range(3)]  #| answer
""",
    answer="plan, trials",
    hints=(
        "Begin with the question: what is varied, and what is kept equal? Its two values are your arms. A rule says "
        "which numbers lead to which conclusion.",
        "Such as: `[Trial(BERT, 300, seed, changes) for changes in arms for seed in (0, 1, 2)]` with two dicts in "
        "`arms` that differ in one value. The rule may be about the interval of the paired difference.",
    ),
    wrong=[
        (
            _PLAN
            + "trials = [Trial(BERT, n, s, {'dropout': d}) for n, d in ((100, 0.0), (300, 0.1)) for s in range(3)]",
            "more than one thing",
        ),
        (
            _PLAN + "trials = [Trial(BERT, 300, s, {'dropout': 0.0}) for s in range(3)]\n"
            "trials += [Trial(BERT, 300, s, {'dropout': 0.1}) for s in range(3, 6)]",
            "not the same seeds",
        ),
        (
            _PLAN + "trials = [Trial(BERT, 300, s, {'dropout': d}) for d in (0.0, 0.1) for s in (0, 1)]",
            "at least three seeds",
        ),
        (
            _SENTENCES.format(decision="We look at the results and then decide.")
            + "trials = [Trial(BERT, 300, s, {'dropout': d}) for d in (0.0, 0.1) for s in range(3)]",
            "decides nothing",
        ),
        (
            _PLAN + "trials = [Trial(method, 300, 0) for method in METHODS[:2] for _ in range(3)]",
            "twice",
        ),
    ],
)
def _own_experiment(plan, trials):
    from ..experiments.trials import BERT, Trial

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
    if not isinstance(trials, list | tuple) or not trials or not all(isinstance(one, Trial) for one in trials):
        raise Wrong("trials must be a list of Trial(method, train_size, seed, changes).")
    arms: list[tuple[dict, list]] = []
    for trial in trials:
        _can_be_run(trial)
        if trial.changes and trial.method != BERT:
            raise Wrong(f"{trial.name}: changes are settings of BERT; for {trial.method} they change nothing.")
        arm = {"method": trial.method, "train_size": trial.train_size, **trial.changes}
        seeds = next((there for other, there in arms if other == arm), None)
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
    if len({frozenset(one) for one in seeds}) > 1:
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
    from ..errors import SettingsError
    from ..experiments.trials import trial_settings
    from ..settings import make_settings

    if not isinstance(trial.changes, dict):
        raise Wrong("The changes of a trial are a dict, such as {'learning_rate': 2e-4}.")
    known = {"train_size", "seed", "preset", "run"} & set(trial.changes)
    if known:
        raise Wrong(f"{trial.name}: {sorted(known)[0]} cannot be among the changes.")
    try:
        trial_settings(trial, make_settings())
    except SettingsError as error:
        raise Wrong(f"It cannot be run: {error}") from error
