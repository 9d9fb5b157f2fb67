"""Exercises of lesson 03."""

from __future__ import annotations

import copy
import math

import numpy as np

from .checking import number_of, refuse
from .exercises import exercise


@exercise("03.1", "Steps and a first loss", "predict", answer="steps, warmup_steps, first_loss",
    task="You fine-tune on 7,608 reviews with batches of 32 for 2 epochs. The learning rate rises over the first tenth "
    "of the steps. How many steps does the optimiser make, and how many of them belong to the warm-up (a whole number)? "
    "And what loss in nats do you expect from an untrained head if there are *three* labels?",
    code="""import math

steps = 2 * math.ceil(7608 / 32)  #| answer
warmup_steps = round(0.1 * 476)  #| answer
first_loss = math.log(3)  #| answer
""",
    hints=("How many batches until every review was seen once? An untrained head finds all labels about equally likely.",
        "7,608 / 32 is 237.75: the last batch of an epoch is smaller, but it is one. The loss is −ln p with p = 1/3."),
    wrong=[("steps, warmup_steps, first_loss = 475, 48, math.log(3)", "cut off"),
        ("steps, warmup_steps, first_loss = 238, 24, math.log(3)", "one epoch only"),
        ("steps, warmup_steps, first_loss = 476, 48, math.log(2)", "two labels")])  # fmt: skip
def _steps_and_loss(steps, warmup, loss):
    steps, warmup, loss = number_of(steps, "steps"), number_of(warmup, "warmup_steps"), number_of(loss, "first_loss")
    refuse(
        (237 <= steps <= 238, "That is one epoch only; the model sees the reviews twice."),
        (474 <= steps < 476, "The last batch of an epoch is not full, but it is not cut off: it is a step, too."),
        (steps != 476, f"The number of steps is not {steps:g}. The optimiser makes one step for each batch."),
        (warmup not in (47, 48), f"The warm-up does not have {warmup:g} steps. Take a tenth of all steps, rounded."),
        (
            abs(loss - math.log(2)) < 0.01,
            "That first loss is the one for two labels, as in the lesson; here are three.",
        ),
        (abs(loss - math.log2(3)) < 0.01, "That first loss is in bits. In nats, the logarithm is the natural one."),
        (
            not abs(loss - math.log(3)) < 0.01,
            f"The loss is not {loss:.3g}. How likely is the right label, −ln of what?",
        ),
    )
    return "Numbers you know before the run are the cheapest test of a training script."


@exercise("03.2", "Cross-entropy", "write", answer="cross_entropy",
    task="Write the loss: the mean cross-entropy of a batch in nats, one number. The array `logits` has the shape "
    "*(n, classes)*; the array `labels` holds the *n* right classes as whole numbers. It must be right for logits of "
    "1000, too.",
    code='''import numpy as np


def cross_entropy(logits, labels):
    """Mean cross-entropy in nats."""
    #| solution
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_probabilities[np.arange(len(labels)), labels].mean()
    #| end
''',
    hints=("It is −ln of a softmax. A softmax stays the same if all logits of a row get smaller by the same number.",
        "Subtract each row's largest logit. Then ln p = z − ln Σ exp z, without computing p. Pick one value of each "
        "row with `[np.arange(len(labels)), labels]`."),
    wrong=[("return (np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(labels)), labels]).sum()", "the sum over"),
        ("p = np.exp(logits).T / np.exp(logits).sum(1)\nreturn -np.log(p[labels, range(len(labels))]).mean()", "nan"),
        ("return (np.logaddexp.reduce(logits, axis=1) - logits[:, 1]).mean()", "of class 1 for every"),
        ("z = logits / np.log(2)\nreturn (np.logaddexp2.reduce(z.T) - z[range(len(z)), labels]).mean()", "in bits")])  # fmt: skip
def _cross_entropy(cross_entropy):
    import torch

    draw = np.random.default_rng(0)
    cases = [(draw.normal(0, 2, (n, k)), draw.integers(0, k, n)) for n, k in ((6, 2), (9, 4), (1, 3))]
    for logits, labels in [*cases, (np.array([[1000.0, 0.0], [1000.0, 0.0]]), np.array([0, 1]))]:
        with np.errstate(all="ignore"):
            found = number_of(cross_entropy(logits.copy(), labels.copy()), "The loss")
        right = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels)).item()
        if np.isclose(found, right):
            continue
        first = -torch.log_softmax(torch.tensor(logits), dim=1)[:, 1].mean().item()
        where = f"For logits {logits.round(1).tolist()} and labels {labels.tolist()}"
        refuse(
            (np.isnan(found), f"{where}, it is nan: exp(1000) is too large for a float, and inf / inf is no number."),
            (np.isinf(found), f"{where}, it is inf: a probability became 0 before its logarithm was taken."),
            (np.isclose(found, -right), "The sign is wrong: a loss is never negative."),
            (np.isclose(found, right * len(labels)), "That is the sum over the batch; it grows with the batch size."),
            (np.isclose(found, right / math.log(2)), "That is the loss in bits, with the logarithm to base 2."),
            (np.isclose(found, first), "It takes the probability of class 1 for every review, whatever its label."),
            (True, f"{where}, the loss is not {found:.4g}."),
        )
    return "One review that is confidently wrong can outweigh a whole batch: the last one here costs 1000 nats."


@exercise("03.3", "Rise and fall", "write", answer="learning_rate",
    task="Write the learning rate at a `step` between 0 and `steps`. It rises in a straight line from 0 at step 0 to "
    "`peak` at step `warmup`, then falls in a straight line to 0 at step `steps`. `warmup` is smaller than `steps` and "
    "may be 0: then there is no rise, and step 0 has the peak.",
    code='''def learning_rate(step, steps, peak, warmup):
    """Learning rate with a linear warm-up and a linear fall."""
    #| solution
    if step < warmup:
        return peak * step / warmup
    return peak * (steps - step) / (steps - warmup)
    #| end
''',
    hints=("Two straight lines, so two cases. Which share of the rise is done; which share of the fall is left?",
        "Rise, while `step < warmup`: `step / warmup` of the peak. Fall: the steps left over all steps of the fall."),
    wrong=[("return peak * (steps - step) / steps", "no warm-up"),
        ("return peak * step / warmup if step < warmup else peak * (1 - step / steps)", "jumps"),
        ("return peak * step / warmup if step < warmup else peak", "stays at its peak"),
        ("return peak * step / warmup if step <= warmup else peak * (steps - step) / (steps - warmup)", "ZeroDivision")])  # fmt: skip
def _learning_rate(rate):
    import torch
    from transformers import get_linear_schedule_with_warmup

    for steps, warmup, peak in ((100, 10, 3e-4), (476, 48, 5e-5), (40, 0, 1.0), (3, 2, 0.1)):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
        share = get_linear_schedule_with_warmup(optimizer, warmup, steps).lr_lambdas[0]
        at = np.arange(steps + 1)
        right, fall = np.array([share(step) for step in at.tolist()]), 1 - at / steps
        found = [number_of(rate(step, steps, peak, warmup), "The learning rate") / peak for step in at.tolist()]
        if np.allclose(found, right):
            continue
        jump, stay = (np.where(at < warmup, right, after) for after in (fall, 1))
        n = int(np.flatnonzero(~np.isclose(found, right))[0])
        refuse(
            (np.allclose(found, right / peak), "That is the share of the peak; the rate is this share times the peak."),
            (np.allclose(found, fall), "There is no warm-up: it starts at the peak and only falls."),
            (np.allclose(found, jump), "It jumps at the end of the warm-up: the fall is counted from step 0."),
            (np.allclose(found, stay), "After the warm-up it stays at its peak; it should fall to 0."),
            (True, f"At step {n} of {steps}, with peak {peak} and warmup {warmup}, it is not {found[n] * peak:.4g}."),
        )
    return "This is what get_linear_schedule_with_warmup of transformers computes."


@exercise("03.4", "Fill up a batch", "write", answer="pad",
    task="`batch` is a list of lists of ids. Return two values, `input_ids` and `attention_mask`, each with one row a "
    "text. All rows are as long as the longest text of *this* batch: fill up with `pad_id` on the right. The mask is 1 "
    "for every id of a text (whatever its value) and 0 for what you added. Leave the lists in `batch` as they are.",
    code='''def pad(batch, pad_id=0):
    """input_ids and attention_mask of a batch."""
    #| solution
    length = max(len(ids) for ids in batch)
    input_ids = [ids + [pad_id] * (length - len(ids)) for ids in batch]
    attention_mask = [[1] * len(ids) + [0] * (length - len(ids)) for ids in batch]
    return input_ids, attention_mask
    #| end
''',
    hints=("Find the longest text first. What a text lacks to this length is added to its ids and to its mask.",
        "A row of ids is `ids + [pad_id] * (length - len(ids))`, a new list; `+=` would change the old one."),
    wrong=[("n = max(map(len, batch))\nreturn [i + [pad_id] * (n - len(i)) for i in batch], [[1] * n] * len(batch)", "1 eve"),
        ("add = [[0] * (512 - len(i)) for i in batch]\nreturn [i + a for i, a in zip(batch, add)], add", "longer than"),
        ("n = max(map(len, batch))\nreturn [[pad_id] * (n - len(i)) + i for i in batch], batch", "on the left"),
        ("for i in batch:\n    i += [pad_id] * (max(map(len, batch)) - len(i))\nreturn batch, batch", "changes the lists")])  # fmt: skip
def _pad(pad):
    long = [2, 8, 9, 7, 3]
    for batch, fill in (([[2, 7, 3], long, [5]], 0), ([[4, 5]], 0), ([[6], long], 1), ([[2, 0, 3], long], 0)):
        given, gaps = copy.deepcopy(batch), [max(map(len, batch)) - len(row) for row in batch]
        found = pad(given, pad_id=fill) if fill else pad(given)
        two = isinstance(found, tuple | list | np.ndarray) and len(found) == 2
        refuse(
            (given != batch, "It changes the lists that it is given. Whoever called it may still need them."),
            (not two, "It should return two values: return input_ids, attention_mask."),
        )
        ids, mask = ([[int(value) for value in row] for row in part] for part in found)
        right = [row + [fill] * n for row, n in zip(batch, gaps, strict=True)]
        ones = [[1] * len(row) + [0] * n for row, n in zip(batch, gaps, strict=True)]
        left = [[fill] * n + row for row, n in zip(batch, gaps, strict=True)]
        zeros = [row + [0] * n for row, n in zip(batch, gaps, strict=True)]
        by_value = [[int(i != fill) for i in row] for row in right]
        most, where = max(map(len, ids), default=0), f"For {batch} and pad_id={fill}"
        refuse(
            (ids == ones and ids != right, "Ids and mask are swapped: the ids come first."),
            (most > len(right[0]), f"For {batch}, rows have {most} places: longer than the longest text there."),
            (ids == left != right, "It fills up on the left; the model would see other positions than in training."),
            (ids == zeros != right, f"{where}, it fills up with 0. Not every model's padding has this id."),
            (ids != right, f"{where}, input_ids are not {ids}."),
            (0 not in sum(mask, [1]) and mask != ones, "The mask is 1 everywhere: the model would read the padding."),
            (mask == [[1 - m for m in row] for row in ones], "The mask is upside down: 1 is for what is looked at."),
            (mask == by_value != ones, f"{where}, a text's own id has the mask 0, because it equals pad_id."),
            (mask != ones, f"{where}, attention_mask is not {mask}."),
        )
    return "The more alike the lengths in a batch, the less padding: this is why fine_tune groups by length."
