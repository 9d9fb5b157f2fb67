"""Exercises of lesson 07."""

from __future__ import annotations

from copy import copy

import numpy as np

from .checking import random_maps, refuse, tiny_bert
from .exercise import Wrong, exercise


def _compare(answer, right, cases, mistakes):
    """Compare an answer with a reference; where a known mistake explains all that it returns, say which."""
    with np.errstate(all="ignore"):
        found = [(case, given, np.asarray(answer(*map(copy, given)), dtype=float)) for case, *given in cases]
        for message, function in [("", right), *mistakes]:
            if all(_same(result, np.asarray(function(*given))) for _, given, result in found):
                if message:
                    raise Wrong(message)
                return
        for case, given, result in found:
            wanted = np.asarray(right(*given))
            if result.shape != wanted.shape:
                raise Wrong(f"For {case} the answer has the shape {result.shape}, not {wanted.shape}.")
            if (np.isnan(result) & ~np.isnan(wanted)).any():
                raise Wrong(f"For {case} there is a nan. Is 0 multiplied by the logarithm of 0, or divided by 0?")
            if not _same(result, wanted):
                raise Wrong(f"For {case} this is not right: {np.round(result, 4).tolist()}.")


def _same(result, wanted):
    return result.shape == wanted.shape and np.allclose(result, wanted, atol=1e-6, equal_nan=True)


@exercise(
    "07.1",
    "A test for each head",
    "predict",
    task="""
    Each of {heads} heads is tested at the {level} % level, and in truth none of them matters. How many "significant"
    heads do you expect by luck? How probable is at least one (take the tests as independent)? And at which level must
    each single test be made so that the {heads} together keep to {level} % (Bonferroni)?
    """,
    hints=(
        "Each test says 'significant' with a probability of 0.05. How probable is it that *none* of the 72 does?",
        "Expected: tests times probability. None: `0.95**72`; at least one: the rest up to 1. Level: 0.05 / 72.",
    ),
)
def each_head_tested(*, heads=72, level=5):
    expected_by_luck = heads * level / 100  # answer
    at_least_one = 1 - (1 - level / 100) ** heads  # answer
    level_of_each = level / 100 / heads  # answer
    return expected_by_luck, at_least_one, level_of_each


def _tests(n, expected=None, at_least_one=None, level=None):
    """The right values, but for those that are given."""
    given, right = (expected, at_least_one, level), each_head_tested.function(**vars(n))
    return tuple(own if value is None else value for value, own in zip(given, right, strict=True))


each_head_tested.wrong("number of heads, not a share", lambda n: _tests(n, expected=n.level / 100))
each_head_tested.wrong("that no head", lambda n: _tests(n, at_least_one=(1 - n.level / 100) ** n.heads))
each_head_tested.wrong("never certain", lambda n: _tests(n, at_least_one=1.0))
each_head_tested.wrong("where you began", lambda n: _tests(n, level=n.level / 100))
each_head_tested.wrong("Šidák", lambda n: _tests(n, level=1 - (1 - n.level / 100) ** (1 / n.heads)))


@each_head_tested.varied
def _(rng):
    return {"heads": rng.integers(15, 40), "level": rng.choice([4, 8, 10])}


@each_head_tested.checker
def _(expected, at_least_one, level, n):
    each, none = n.level / 100, (1 - n.level / 100) ** n.heads
    sidak = 1 - (1 - each) ** (1 / n.heads)
    refuse(
        (np.isclose(expected, each), f"{each} is for a single head. Asked for is a number of heads, not a share."),
        (
            not np.isclose(expected, n.heads * each),
            f"The expected number is not {expected}. As a mean, it need not be whole.",
        ),
        (np.isclose(at_least_one, none, atol=0.002), "That is how probable it is that no head comes out."),
        (
            np.isclose(at_least_one, 1),
            f"At least one is likely, but never certain: all {n.heads} tests may stay silent.",
        ),
        (
            not np.isclose(at_least_one, 1 - none, atol=0.005),
            f"At least one: not {at_least_one}. How probable is it that none comes out?",
        ),
        (np.isclose(level, each), f"With {n.level} % for each head you are where you began."),
        (np.isclose(level, sidak, rtol=0.005), "That is Šidák's level. Bonferroni's is a little lower."),
        (
            not np.isclose(level, each / n.heads, rtol=0.015),
            f"The level is not {level}. All {n.heads} together may use up {each}.",
        ),
    )
    return "The lesson prints p_holm for this reason: Holm keeps the same promise, and finds a little more."


@exercise(
    "07.2",
    "Attention through all layers",
    "write",
    task="""
    Write rollout. `attentions` has the shape (layers, heads, tokens, tokens), with two layers or more. In each layer,
    average the heads; half of a token's weight stays where it is (the residual connection). Return how much of each
    input token (columns) reaches each token of the last layer (rows), shape (tokens, tokens).
    """,
    hints=(
        "Make one matrix of each layer, with rows that sum to 1. Then multiply: which layer sees the tokens first?",
        "A layer's matrix is `(mean + np.eye(tokens)) / 2`. Begin with layer 0; each later one goes on the *left*.",
    ),
)
def rollout(attentions):
    """How much of each input token reaches each token of the last layer."""
    layers = (attentions.mean(axis=1) + np.eye(attentions.shape[-1])) / 2
    reached = layers[0]
    for layer in layers[1:]:
        reached = layer @ reached
    return reached


def _layers(maps):
    return (maps + np.eye(maps.shape[-1])) / 2


rollout.wrong("residual connection is missing", lambda a: np.linalg.multi_dot(a.mean(axis=1)[::-1]))
rollout.wrong("wrong order", lambda a: np.linalg.multi_dot(_layers(a.mean(axis=1))))
rollout.wrong("summed", lambda a: np.linalg.multi_dot(_layers(a.sum(axis=1))[::-1]))
rollout.wrong("by element", lambda a: _layers(a.mean(axis=1)).prod(axis=0))


@rollout.checker
def _(rollout):
    from ...attention.attribution import rollout as right

    def up(layers):
        return np.linalg.multi_dot(layers[::-1])

    _compare(
        rollout,
        right,
        [
            ("two layers of one head and two tokens", random_maps(2, 1, 2, 2, seed=6)),
            ("three layers of four heads and five tokens", random_maps(3, 4, 5, 5, seed=6)),
        ],
        [
            ("The residual connection is missing: some of each token goes past the heads.", lambda a: up(a.mean(1))),
            ("The layers stand in the wrong order. Which one gets the tokens?", lambda a: up(_layers(a.mean(1))[::-1])),
            ("The heads are summed: rows do not sum to 1 any more.", lambda a: up(_layers(a.sum(1)))),
            (
                "The identity is added, but not half and half: rows sum to more than 1.",
                lambda a: up(2 * _layers(a.mean(1))),
            ),
            ("The residual connection comes once, at the end. Each layer has one.", lambda a: _layers(up(a.mean(1)))),
            (
                "You multiply element by element. Paths take a product of matrices.",
                lambda a: _layers(a.mean(1)).prod(0),
            ),
        ],
    )
    return "Rows still sum to 1. It follows where vectors come from; what the layers make of them is not in it."


@rollout.probed()
def _(rollout, rng):
    return [rollout(random_maps(*rng.integers(2, 6, 2), 7, 7, seed=rng)) for _ in range(3)]


@exercise(
    "07.3",
    "Switch a head off",
    "write",
    task="""
    Write `silence`: it sets a head's output to 0 by a forward *pre*-hook on the layer's `attention.output.dense`, found
    under `model.bert.encoder.layer`, and returns the handle, so that `handle.remove()` brings the head back. What goes
    in has the shape (texts, tokens, heads × size of a head): the heads' outputs side by side, counted from 0.
    """,
    hints=(
        "A pre-hook is a function `hook(module, inputs)`. What it returns takes the place of `inputs`, a tuple.",
        "A head is `hidden_size // num_attention_heads` columns wide and begins at `head * size`. Set these to 0 in "
        "a copy of `inputs[0]`, and return the copy. Return what `register_forward_pre_hook(hook)` gives.",
    ),
)
def silence(model, layer, head):
    """Switch a head off until the handle's remove() is called."""
    size = model.config.hidden_size // model.config.num_attention_heads

    def hook(module, inputs):
        mixed = inputs[0].clone()
        mixed[..., head * size : (head + 1) * size] = 0
        return (mixed,)

    return model.bert.encoder.layer[layer].attention.output.dense.register_forward_pre_hook(hook)


def _dense(model, layer):
    return model.bert.encoder.layer[layer].attention.output.dense


@silence.wrong("0: [1].")
def _(model, layer, head):
    def hook(module, inputs):
        inputs[0][..., head] = 0

    return _dense(model, layer).register_forward_pre_hook(hook)


@silence.wrong("0: [0, 1, 2")
def _(model, layer, head):
    return _dense(model, layer).register_forward_pre_hook(lambda module, inputs: inputs[0] * 0)


@silence.wrong("no columns")
def _(model, layer, head):
    return _dense(model, layer).register_forward_hook(lambda module, inputs, output: output * 0)


@silence.wrong("weights have changed")
def _(model, layer, head):
    _dense(model, layer).weight.data[:, :4] = 0
    return _dense(model, layer).register_forward_hook(print)


@silence.checker
def _(silence):
    import torch

    from ...attention.silencing import silenced

    model = tiny_bert(heads=4)
    logits = torch.no_grad()(lambda: model(torch.arange(14).reshape(2, 7)).logits)
    weights, whole, seen = {name: value.clone() for name, value in model.state_dict().items()}, logits(), []
    for layer, head in ((0, 1), (1, 3), (1, 0)):
        handle, dense = silence(model, layer, head), _dense(model, layer)
        if any(not torch.equal(value, weights[name]) for name, value in model.state_dict().items()):
            raise Wrong("The model's weights have changed: to remove a hook does not bring them back.")
        with dense.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])):
            found = logits()
        handle.remove()
        if not torch.allclose(logits(), whole, atol=1e-5):
            raise Wrong("After handle.remove() the logits are not what they were before.")
        with silenced(model, [(layer, head)]):
            right = torch.allclose(found, logits(), atol=1e-5)
        if not right:
            off = (seen[-1] == 0).all(0).all(0).nonzero().flatten().tolist() or "no columns (is it a pre-hook?)"
            raise Wrong(
                f"Each of the 4 heads here has 4 columns. With head {head} of layer {layer} off, of what goes "
                f"into the dense layer these columns are 0: {off}."
            )
    return "The library's `silenced` does the same for several heads, and removes its hooks when a block ends."


@silence.probed(within=1e-4)
def _(silence, rng):
    import torch

    model, ids, results = tiny_bert(heads=8, layers=3), torch.tensor(rng.integers(50, size=(2, 9))), []
    for layer, head in ((0, int(rng.integers(1, 8))), (2, int(rng.integers(8)))):
        handle = silence(model, layer, head)
        with torch.no_grad():
            off = model(ids).logits
            handle.remove()
            results.append((off.numpy(), model(ids).logits.numpy()))
    return results


@exercise(
    "07.4",
    "Without the named words",
    "write",
    task="""
    Write comprehensiveness for one share of words. `whole` holds the probability of *positive* for each whole text,
    `without` for the same texts without the words that a method names, and `label` the label predicted for each whole
    text (0 or 1); all three are arrays. Return by how much the probability of the *predicted* label falls on average.
    """,
    hints=(
        "For a text with label 0, the probability of the predicted label is not `whole`. What is it?",
        "With label 1 the fall is `whole - without`, with label 0 `(1 - whole) - (1 - without)`; see `np.where`.",
    ),
)
def comprehensiveness(whole, without, label):
    """Mean fall of the probability of the predicted label."""
    return np.where(label == 1, whole - without, without - whole).mean()


comprehensiveness.wrong("turned around", lambda whole, without, label: comprehensiveness(without, whole, label))
comprehensiveness.wrong("whatever its label", lambda whole, without, label: np.mean(whole - without))
comprehensiveness.wrong("a rise counts as a fall", lambda whole, without, label: np.abs(whole - without).mean())
comprehensiveness.wrong(
    "stays that of", lambda whole, without, _: (np.maximum(whole, 1 - whole) - np.maximum(without, 1 - without)).mean()
)


@comprehensiveness.checker
def _(comprehensiveness):
    def fall(whole, without, label):
        return ((whole - without) * (2 * label - 1)).mean()

    _compare(
        comprehensiveness,
        fall,
        [
            ("two texts predicted positive", np.array([0.9, 0.8]), np.array([0.6, 0.95]), np.array([1, 1])),
            ("one text predicted negative", np.array([0.1]), np.array([0.3]), np.array([0])),
            ("three texts of either label", np.array([0.9, 0.2, 0.4]), np.array([0.3, 0.7, 0.1]), np.array([1, 0, 0])),
        ],
        [
            ("The sign is turned around: a fall comes out below 0.", lambda *given: -fall(*given)),
            ("That is the fall of *positive* for every text, whatever its label.", lambda w, o, _: (w - o).mean()),
            ("With absolute values, a rise counts as a fall.", lambda w, o, _: abs(w - o).mean()),
            (
                "The label stays that of the whole text throughout.",
                lambda w, o, _: (abs(w - 0.5) - abs(o - 0.5)).mean(),
            ),
        ],
    )
    return "By itself it says little: the lesson subtracts what as many random words reach on the same texts."


@comprehensiveness.probed()
def _(comprehensiveness, rng):
    whole, without = rng.random((2, 30))
    return comprehensiveness(whole, without, (whole >= 0.5).astype(int))


@exercise(
    "07.5",
    "Better than random",
    "write",
    task="""
    A method reaches `value`, and random controls reach `random_values` (an array). Return the one-sided p value: if
    `value` were just one more random control, how probable would a value of at least this size be? Count `value` itself
    among the controls, so that p is never 0. A control that is just as large as `value` counts, too.
    """,
    hints=(
        "Put your value among the controls. How many of all are at least as large as it, and how many are there?",
        "With `k` of `n` controls at least as large (`>=`), it is (1 + k) / (1 + n).",
    ),
)
def random_p(value, random_values):
    """One-sided p value of a value against random controls."""
    at_least = sum(random_values >= value)
    return (1 + at_least) / (1 + len(random_values))


random_p.wrong("p can be 0", lambda value, controls: sum(controls >= value) / len(controls))
random_p.wrong("just as large", lambda value, controls: (1 + sum(controls > value)) / (1 + len(controls)))
random_p.wrong("smaller", lambda value, controls: (1 + sum(controls <= value)) / (1 + len(controls)))
random_p.wrong("not among all", lambda value, controls: (1 + sum(controls >= value)) / len(controls))


@random_p.checker
def _(random_p):
    _compare(
        random_p,
        lambda value, controls: np.mean(np.append(controls, value) >= value),
        [
            ("0.4 and nine controls below it", 0.4, np.linspace(0, 0.3, 9)),
            ("0.3 and the controls 0.1, 0.3, 0.3, 0.5", 0.3, np.array([0.1, 0.3, 0.3, 0.5])),
            ("-0.2 and the controls 0 and 1", -0.2, np.array([0.0, 1.0])),
        ],
        [
            ("So p can be 0, as if these were all the random controls there are.", lambda v, r: np.mean(r >= v)),
            ("A control that is just as large counts as well.", lambda v, r: (1 + sum(r > v)) / (1 + len(r))),
            ("You count the smaller ones: a good value gets a large p.", lambda v, r: (1 + sum(r <= v)) / (1 + len(r))),
            ("You count `value` among the large ones, and not among all.", lambda v, r: (1 + sum(r >= v)) / len(r)),
        ],
    )
    return "With n controls it is at least 1 / (n + 1): to get below 0.05 you need 20, and all of them smaller."


@random_p.probed()
def _(random_p, rng):
    draws = [rng.normal(0, 2, int(count)).round() for count in rng.integers(20, 50, 6)]
    return [random_p(controls[0], controls[1:]) for controls in draws]


@exercise(
    "07.6",
    "Broad in any length",
    "investigate",
    task="""
    The entropy of evenly spread attention grows with the number of tokens n. So that texts of any length compare,
    divide each row's entropy, −Σ w ln w with 0 · ln 0 = 0, by ln n, and average over the rows. `weights` has the shape
    (heads, tokens, tokens); return an array of shape (heads,). For a text of one token, return 0 for each head.
    """,
    hints=(
        "Over which axis does a row's entropy sum, and over which is the mean? Which two inputs make a NaN?",
        "Return zeros if n is 1. In the logarithm, put 1 for weights of 0. Sum over `axis=-1`, then average over "
        "what is `axis=-1` now, and divide by `np.log(n)`.",
    ),
)
def relative_entropy(weights):
    """Mean entropy of each head's rows: 0 is all on one token, 1 is evenly spread."""
    tokens = weights.shape[-1]
    if tokens == 1:
        return np.zeros(len(weights))
    logs = np.log(np.where(weights > 0, weights, 1))
    return -(weights * logs).sum(axis=-1).mean(axis=-1) / np.log(tokens)


relative_entropy.wrong("in nats", lambda w: -(w * np.log(w + 1e-12)).sum(-1).mean(-1))
relative_entropy.wrong("number of tokens", lambda w: -(w * np.log(w + 1e-12)).sum(-1).mean(-1) / w.shape[-1])
relative_entropy.wrong(
    "multiplied by the logarithm of 0", lambda w: -(w * np.log(w)).sum(-1).mean(-1) / np.log(w.shape[-1])
)
relative_entropy.wrong("mean", lambda w: relative_entropy(w).mean())


@relative_entropy.checker
def _(relative_entropy):
    from scipy.special import entr

    def nats(weights):
        return entr(weights).sum(axis=-1).mean(axis=-1)

    _compare(
        relative_entropy,
        lambda w: nats(w) / np.log(max(2, w.shape[-1])),
        [
            ("three heads and four tokens", random_maps(3, 4, 4, seed=6)),
            ("a head that looks at itself and one that spreads evenly", np.stack([np.eye(5), np.full((5, 5), 0.2)])),
            ("two heads and one token", np.ones((2, 1, 1))),
        ],
        [
            ("That is the entropy in nats: in a longer text it gets larger.", nats),
            ("It is divided by the number of tokens; the largest entropy is another.", lambda w: nats(w) / w.shape[-1]),
            (
                "Each head has its own value. This is their mean.",
                lambda w: nats(w).mean() / np.log(max(2, w.shape[-1])),
            ),
        ],
    )
    return "Above 0.9 the lesson calls a head broad; in nats, short texts could never reach what long ones do."


@relative_entropy.probed()
def _(relative_entropy, rng):
    heads, tokens = rng.integers(4, 9, 2)
    maps = random_maps(heads, tokens, tokens, seed=rng)
    maps[0] = np.eye(tokens)
    return relative_entropy(maps), relative_entropy(np.ones((heads, 1, 1)))


@exercise(
    "07.7",
    "The other half of the negation",
    "investigate",
    task="""
    The lesson named heads on pairs with praise. Take the pairs of *explore* with blame (*really bad*, *not bad*) and
    your own model: patch head by head in both directions, as the lesson does, and name the five heads that bring back
    most. How many of them are among the five of the lesson? Give `each` of the lesson, your table of the same shape,
    your five heads as a list of (layer, head), and the number.
    """,
    hints=(
        'Pairs: `negation_pairs("explore", tokenizer).query("label == 0")`. See the cell that names the heads.',
        "`np.mean([patch_heads(model, pairs).recovered for pairs in both_ways(blame)], axis=0)`, then argsort, divmod.",
    ),
    call="each, each_blame, five, shared",
)
def other_half(*, model, tokenizer, negation_pairs, both_ways, patch_heads, each):
    blame = negation_pairs("explore", tokenizer).query("label == 0")
    each_blame = np.mean([patch_heads(model, pairs).recovered for pairs in both_ways(blame)], axis=0)  # answer
    five = [divmod(int(i), each.shape[1]) for i in np.argsort(-each_blame, axis=None)[:5]]  # answer
    lesson = [divmod(int(i), each.shape[1]) for i in np.argsort(-each, axis=None)[:5]]
    shared = len(set(five) & set(lesson))  # answer
    return each, each_blame, five, shared


def _five(table, sign=-1):
    return [divmod(int(i), table.shape[1]) for i in np.argsort(sign * table, axis=None, kind="stable")[:5]]


_PRAISE, _BLAME = np.random.default_rng(5).normal(0, 0.1, (2, 3, 4))
_SHARED = len(set(_five(_PRAISE)) & set(_five(_BLAME)))
other_half.wrong("table of the lesson", _PRAISE, _PRAISE, _five(_PRAISE), 5)
other_half.wrong("bring back least", _PRAISE, _BLAME, _five(_BLAME, 1), _SHARED)
other_half.wrong("are among", _PRAISE, _BLAME, _five(_BLAME), _SHARED + 1)


@other_half.checker
def _(each, each_blame, five, shared):
    each, each_blame = np.asarray(each, dtype=float), np.asarray(each_blame, dtype=float)
    if each.ndim != 2 or each.shape != each_blame.shape:
        raise Wrong("Both tables have one row per layer and one column per head.")
    given = {tuple(np.asarray(head, dtype=int).tolist()) for head in five}
    right = set(_five(each_blame))
    common = len(right & set(_five(each)))
    refuse(
        (np.allclose(each, each_blame), "That is the table of the lesson. Take the pairs with label 0."),
        (given == set(_five(each_blame, 1)), "These five bring back least. Sort the other way."),
        (given != right, "These are not the five heads with the largest values of your table."),
        (shared != common, f"It is not {shared} heads that are among the lesson's five."),
    )
    return (
        f"{common} of 5. Blame hardly changes the logit of some models, and then the share is one of next to nothing: "
        "look at the difference before you trust it. And these five are named, not tested."
    )
