"""Exercises of lesson 03."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch

from sentiment_lib.course import train_briefly

from .checking import number_of, refuse, stored_run, tiny_bert
from .exercise import exercise


@exercise(
    "03.1",
    "Steps and a first loss",
    "predict",
    task="""
    You fine-tune on {reviews:,} reviews with batches of {batch} for {epochs} epochs. The learning rate rises over the
    first tenth of the steps. How many steps does the optimiser make, and how many of them belong to the warm-up (a
    whole number)? And what loss in nats do you expect from an untrained head if there are {labels} labels, not two?
    """,
    hints=(
        "How many batches until every review was seen once? An untrained head finds all labels about equally likely.",
        "7,608 / 32 is 237.75: the last batch of an epoch is smaller, but it is one. The loss is −ln p with p = 1/3.",
    ),
)
def steps_and_loss(*, reviews=7608, batch=32, epochs=2, labels=3):
    steps = epochs * math.ceil(reviews / batch)  # answer
    warmup_steps = round(0.1 * steps)  # answer
    first_loss = math.log(labels)  # answer
    return steps, warmup_steps, first_loss


def _by_steps(steps, labels):
    return steps, round(steps / 10), math.log(labels)


steps_and_loss.wrong("cut off", lambda n: _by_steps(n.epochs * n.reviews // n.batch, n.labels))
steps_and_loss.wrong("one epoch only", lambda n: _by_steps(math.ceil(n.reviews / n.batch), n.labels))
steps_and_loss.wrong("two labels", lambda n: _by_steps(n.epochs * math.ceil(n.reviews / n.batch), 2))


@steps_and_loss.varied
def _(rng):
    batch = rng.choice([16, 24, 48])
    reviews = batch * rng.integers(150, 400) + rng.integers(3, batch - 3)
    return {"reviews": reviews, "batch": batch, "epochs": rng.integers(3, 6), "labels": rng.integers(4, 9)}


@steps_and_loss.checker
def _(steps, warmup, loss, n):
    steps, warmup, loss = number_of(steps, "steps"), number_of(warmup, "warmup_steps"), number_of(loss, "first_loss")
    full, right = n.reviews // n.batch, n.epochs * math.ceil(n.reviews / n.batch)
    nats = math.log(n.labels)
    refuse(
        (full <= steps <= full + 1, "That is one epoch only; the model sees the reviews several times."),
        (
            n.epochs * full <= steps < right,
            "The last batch of an epoch is not full, but it is not cut off: it is a step, too.",
        ),
        (steps != right, f"The number of steps is not {steps:g}. The optimiser makes one step for each batch."),
        (
            warmup not in (right // 10, -(-right // 10)),
            f"The warm-up does not have {warmup:g} steps. Take a tenth of all steps, rounded.",
        ),
        (
            abs(loss - math.log(2)) < 0.01,
            f"That first loss is the one for two labels, as in the lesson; here are {n.labels}.",
        ),
        (
            abs(loss - math.log2(n.labels)) < 0.01,
            "That first loss is in bits. In nats, the logarithm is the natural one.",
        ),
        (not abs(loss - nats) < 0.01, f"The loss is not {loss:.3g}. How likely is the right label, −ln of what?"),
    )
    return "Numbers you know before the run are the cheapest test of a training script."


@exercise(
    "03.2",
    "Cross-entropy",
    "write",
    task="""
    Write the loss: the mean cross-entropy of a batch in nats, one number. The array `logits` has the shape *(n,
    classes)*; the array `labels` holds the *n* right classes as whole numbers. It must be right for logits of 1000,
    too.
    """,
    hints=(
        "It is −ln of a softmax. A softmax stays the same if all logits of a row get smaller by the same number.",
        "Subtract each row's largest logit. Then ln p = z − ln Σ exp z, without computing p. Pick one value of each "
        "row with `[np.arange(len(labels)), labels]`.",
    ),
)
def cross_entropy(logits, labels):
    """Mean cross-entropy in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_probabilities[np.arange(len(labels)), labels].mean()


cross_entropy.wrong("the sum over", lambda logits, labels: cross_entropy(logits, labels) * len(labels))
cross_entropy.wrong("of class 1 for every", lambda z, labels: (np.logaddexp.reduce(z, axis=1) - z[:, 1]).mean())
cross_entropy.wrong("in bits", lambda logits, labels: cross_entropy(logits, labels) / np.log(2))


@cross_entropy.wrong("nan")
def _(logits, labels):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(labels)), labels]).mean()


@cross_entropy.checker
def _(cross_entropy):
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


@cross_entropy.probed()
def _(cross_entropy, rng):
    return [cross_entropy(rng.normal(0, spread, (7, 5)), rng.integers(0, 5, 7)) for spread in (1, 4, 2000)]


@exercise(
    "03.3",
    "Rise and fall",
    "write",
    task="""
    Write the learning rate at a `step` between 0 and `steps`. It rises in a straight line from 0 at step 0 to `peak` at
    step `warmup`, then falls in a straight line to 0 at step `steps`. `warmup` is smaller than `steps` and may be 0:
    then there is no rise, and step 0 has the peak.
    """,
    hints=(
        "Two straight lines, so two cases. Which share of the rise is done; which share of the fall is left?",
        "Rise, while `step < warmup`: `step / warmup` of the peak. Fall: the steps left over all steps of the fall.",
    ),
)
def learning_rate(step, steps, peak, warmup):
    """Learning rate with a linear warm-up and a linear fall."""
    if step < warmup:
        return peak * step / warmup
    return peak * (steps - step) / (steps - warmup)


learning_rate.wrong("no warm-up", lambda t, steps, peak, warmup: peak * (1 - t / steps))
learning_rate.wrong("jumps", lambda t, steps, peak, warmup: peak * (t / warmup if t < warmup else 1 - t / steps))
learning_rate.wrong("stays at its peak", lambda t, steps, peak, warmup: peak * t / warmup if t < warmup else peak)
learning_rate.wrong(
    "ZeroDivision",
    lambda t, steps, peak, warmup: peak * (t / warmup if t <= warmup else (steps - t) / (steps - warmup)),
)


@learning_rate.checker
def _(rate):
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


@learning_rate.probed()
def _(rate, rng):
    cases = [(int(rng.integers(30, 60)), rng.uniform(0.5, 2), int(rng.integers(2, 25))) for _ in range(3)]
    return [[rate(step, steps, *given) for step in range(steps + 1)] for steps, *given in [*cases, (20, 0.7, 0)]]


@exercise(
    "03.4",
    "Pad a batch",
    "write",
    task="""
    `batch` is a list of lists of ids. Return two values, `input_ids` and `attention_mask`, each with one row per text.
    All rows are as long as the longest text of *this* batch: pad with `pad_id` on the right. The mask is 1 for
    every id of a text (whatever its value) and 0 for what you added. Leave the lists in `batch` as they are.
    """,
    hints=(
        "Find the longest text first. What a text lacks to this length is added to its ids and to its mask.",
        "A row of ids is `ids + [pad_id] * (length - len(ids))`, a new list; `+=` would change the old one.",
    ),
)
def pad(batch, pad_id=0):
    """input_ids and attention_mask of a batch."""
    length = max(len(ids) for ids in batch)
    input_ids = [ids + [pad_id] * (length - len(ids)) for ids in batch]
    attention_mask = [[1] * len(ids) + [0] * (length - len(ids)) for ids in batch]
    return input_ids, attention_mask


@pad.wrong("1 eve")
def _(batch, pad_id=0):
    input_ids, _ = pad(batch, pad_id)
    return input_ids, [[1] * len(row) for row in input_ids]


@pad.wrong("longer than")
def _(batch, pad_id=0):
    added = [[0] * (512 - len(ids)) for ids in batch]
    return [ids + zeros for ids, zeros in zip(batch, added, strict=True)], added


@pad.wrong("on the left")
def _(batch, pad_id=0):
    length = max(map(len, batch))
    return [[pad_id] * (length - len(ids)) + ids for ids in batch], batch


@pad.wrong("changes the lists")
def _(batch, pad_id=0):
    for ids in batch:
        ids += [pad_id] * (max(map(len, batch)) - len(ids))
    return batch, batch


@pad.checker
def _(pad):
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


@pad.probed()
def _(pad, rng):
    batches = [[rng.integers(0, 9, n).tolist() for n in (2, 5, *rng.integers(1, 9, 3))] for _ in range(4)]
    return [pad(batch, pad_id=int(rng.integers(0, 9))) for batch in batches], batches


@exercise(
    "03.5",
    "Learn one batch by heart",
    "investigate",
    task="""
    A model that cannot learn a single batch by heart has a bug somewhere. Train `model` on `batch` again and again with
    AdamW and a learning rate of 1e-4, until the loss is below 0.01 or 100 steps are over. Return the list of losses,
    one number per step. `model(**batch)` has the loss. The check looks at the losses of your run on the lesson's first
    batch, which takes less than half a minute.
    """,
    hints=(
        "A step is the one of the lesson: loss, `backward()`, `step()`, `zero_grad()`. Note the loss, then look at it.",
        "Make the optimiser before the loop. In the loop, end with `if losses[-1] < 0.01: break`.",
    ),
    call="overfit(fresh_model(), batches[0])",
)
def overfit(model, batch):
    """Train on one batch until it is known by heart; returns the losses."""
    model.train()
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=1e-4), []
    for _ in range(100):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if losses[-1] < 0.01:
            break
    return losses


# Losses of such runs on the lesson's first batch with the preset quick; of slow ones, every tenth is kept.
_LEARNED = [0.695, 0.667, 0.635, 0.59, 0.533, 0.465, 0.388, 0.311, 0.24, 0.18, 0.135, 0.101, 0.077, 0.06, 0.047, 0.038]
_LEARNED += [0.03, 0.025, 0.021, 0.017, 0.015, 0.013, 0.011, 0.01, 0.008, 0.007, 0.007]
_SLOWLY = [0.6948, 0.6919, 0.6889, 0.6859, 0.6827, 0.6795, 0.676, 0.6721, 0.6678, 0.6631, 0.6585]

overfit.wrong("never changes", [0.6948] * 100)  # without step()
overfit.wrong("stops too early", _LEARNED[:6])
overfit.wrong("goes on", _LEARNED)
overfit.wrong("not begin with a fresh model", [0.0083])
overfit.wrong("hardly learns", np.interp(range(100), np.linspace(0, 99, 11), _SLOWLY))  # with a learning rate of 1e-6


@overfit.checker
def _(losses):
    losses = np.ravel(np.asarray(losses, dtype=float))
    refuse(
        (len(losses) == 0, "The list of losses is empty."),
        (not np.isfinite(losses).all(), "One of the losses is no finite number."),
        (not 0.4 < losses[0] < 1.2, f"The first loss is {losses[0]:.3f}. This run did not begin with a fresh model."),
        (len(losses) == 1, "There is one loss only. Train on the batch again and again."),
        (np.ptp(losses) < 1e-6, "The loss never changes. Which call moves the weights?"),
    )
    below = np.flatnonzero(losses < 0.01)
    refuse(
        (len(below) > 1, "It goes on after the loss has fallen below 0.01."),
        (len(below) == 0 and len(losses) < 100, "It stops too early: the loss is still above 0.01."),
        (len(below) == 0, "After 100 steps it hardly learns. Is the learning rate 1e-4, and are gradients forgotten?"),
    )
    return f"{len(losses)} steps. The loop works; whether it learns anything general is another question."


@exercise(
    "03.6",
    "Train the top only",
    "investigate",
    task="""
    `model` is a `BertForSequenceClassification`. Freeze all of it but the last `last_layers` layers of
    `model.bert.encoder.layer`, the pooler `model.bert.pooler` and the head `model.classifier`; these are trained,
    whatever was frozen before. Return the number of parameters (single numbers, not tensors) that are trained. With
    `last_layers=0`, all encoder layers are frozen.
    """,
    hints=(
        "Freeze everything first (`requires_grad_(False)` works on any module), then thaw parts. What is "
        "`layers[-0:]`?",
        "`layers[-0:]` is all layers; start the slice at `len(layers) - last_layers`. Count with `numel()`.",
    ),
)
def trainable(model, last_layers):
    """Freeze all but the top; returns the number of trained parameters."""
    layers = model.bert.encoder.layer
    model.requires_grad_(False)
    for part in [*layers[len(layers) - last_layers :], model.bert.pooler, model.classifier]:
        part.requires_grad_(True)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


@trainable.wrong("starts at -0")
def _(model, last_layers):
    model.requires_grad_(False)
    for part in [*model.bert.encoder.layer[-last_layers:], model.bert.pooler, model.classifier]:
        part.requires_grad_(True)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


@trainable.wrong("frozen as well")
def _(model, last_layers):
    trained = trainable(model, last_layers)
    model.classifier.requires_grad_(False)
    return trained


@trainable.wrong("all parameters")
def _(model, last_layers):
    trainable(model, last_layers)
    return sum(weight.numel() for weight in model.parameters())


@trainable.checker
def _(trainable):
    from ...model.pretrained import train_only

    model, reference = tiny_bert(), tiny_bert()
    for last in (1, 0, 2):
        found, right = number_of(trainable(model, last), "The result"), train_only(reference, last)
        trained, wanted = (
            {name for name, weight in bert.named_parameters() if weight.requires_grad} for bert in (model, reference)
        )
        extra, missing = sorted(trained - wanted), sorted(wanted - trained)
        top = [name for name in missing if "layer." not in name]
        all_layers = len({name.split(".")[3] for name in extra if ".layer." in name}) == 2
        case = f"With last_layers={last}"
        refuse(
            (last == 0 and all_layers, f"{case}, all layers are trained: a slice that starts at -0 starts at 0."),
            (top, f"{case}, {', '.join(top[:1])} is frozen as well; pooler and head are always trained."),
            (extra, f"{case}, {extra[:1]} is still trained."),
            (missing, f"{case}, {missing[:1]} is not trained."),
            (found == sum(w.numel() for w in model.parameters()), "It counts all parameters, the frozen ones, too."),
            (found == len(wanted), "It counts tensors; each of them holds many parameters."),
            (found != right, f"{case}, what is trained is right, but it does not have {found:g} parameters."),
        )
    return "The embeddings, more than half of the lesson's model, stay frozen even when all layers are trained."


@trainable.probed()
def _(trainable, rng):
    model = tiny_bert(layers=int(rng.integers(3, 6)))
    counts = [0, *rng.integers(1, 4, 3).tolist()]
    return [(trainable(model, last), [weight.requires_grad for weight in model.parameters()]) for last in counts]


@exercise(
    "03.7",
    "Choose a learning rate",
    "investigate",
    task="""
    Guess first: which of these five learning rates is best with 600 reviews and two epochs, and what does the largest
    one do? Then train once with each (`train_briefly`, a minute in all, keeps nothing on disk) and choose one by
    validation accuracy. A run has `accuracy` and `losses`.
    """,
    hints=(
        "`train_briefly(settings, dataset, learning_rate=rate)` returns one run. Keep them in a dict, by rate.",
        "`{rate: train_briefly(settings, dataset, learning_rate=rate) for rate in rates}`, then `max(..., key=...)`.",
    ),
)
def choose_a_rate(*, settings, dataset):
    rates = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3]
    runs = {rate: train_briefly(settings, dataset, learning_rate=rate) for rate in rates}  # answer
    chosen = max(rates, key=lambda rate: runs[rate].accuracy)  # answer
    return runs, chosen


# Of 761 validation reviews, so many were classified correctly with the preset quick.
_HITS = {1e-5: 483, 3e-5: 528, 1e-4: 554, 3e-4: 591, 1e-3: 380}


def _sweep(**same):
    return {rate: stored_run(hits, **({"learning_rate": rate} | same)) for rate, hits in _HITS.items()}


choose_a_rate.wrong("trained with the learning rate 0.0001", _sweep(learning_rate=1e-4), 1e-4)
choose_a_rate.wrong("is missing", {rate: run for rate, run in _sweep().items() if rate < 1e-3}, 3e-4)
choose_a_rate.wrong("none of the rates", _sweep(), 2e-4)
choose_a_rate.wrong("another one has", _sweep(), 1e-4)


@choose_a_rate.checker
def _(runs, chosen):
    rates = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
    chosen = number_of(chosen, "chosen")
    refuse((not isinstance(runs, dict), "`runs` should be a dict from a learning rate to its run."))
    refuse(*((rate not in runs, f"The run with the learning rate {rate:g} is missing.") for rate in rates))
    refuse(
        *(
            (
                run.settings.learning_rate != rate,
                f"The run for {rate:g} was trained with the learning rate {run.settings.learning_rate:g}.",
            )
            for rate, run in runs.items()
        ),
        (
            len({run.train_size for run in runs.values()}) > 1,
            "The runs have different numbers of reviews. Vary one thing.",
        ),
        (chosen not in runs, f"{chosen:g} is none of the rates."),
    )
    best = max(run.accuracy for run in runs.values())
    refuse(
        (runs[chosen].accuracy < best, f"On validation, another one has {best:.3f}, more than {chosen:g}."),
    )
    return "The best of five on validation is a little too good there. A number to report needs other reviews."
