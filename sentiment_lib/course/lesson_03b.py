"""Exercises of lesson 03, continued: one step of training, and layers that stay as they are."""

from __future__ import annotations

from .checking import number_of, refuse, tiny_bert
from .exercises import exercise

_TRAINED = """
layers, top = model.bert.encoder.layer, [model.bert.pooler, model.classifier]
for part in [model.requires_grad_(False), *{}]:
    part.requires_grad_(part is not model)
return sum(weight.numel() for weight in model.parameters() {})
"""  # for wrong answers


@exercise(
    "03.5", "One step", "write", answer="train_step",
    task="Write the core of a step of the `Trainer` in plain PyTorch (without clipping and schedule): forget the gradients "
    "of earlier steps, compute the loss with `model(**batch)` (its `.loss`; the labels are in the batch), compute the "
    "gradients, let the optimiser make its step. Return the loss as a Python number (a float).",
    code='''
def train_step(model, optimizer, batch):
    """One step of training; returns the loss."""
    #| solution
    optimizer.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    optimizer.step()
    return loss.item()
    #| end
''',
    hints=(
        "PyTorch adds new gradients to the old ones unless you forget these first. Then four more lines.",
        "`optimizer.zero_grad()`, the loss, `loss.backward()`, `optimizer.step()`, and at the end `loss.item()`.",
    ),
    wrong=[
        ("loss = model(**batch).loss\nloss.backward()\noptimizer.step()\nreturn loss.item()", "first step are still"),
        ("optimizer.zero_grad()\nloss = model(**batch).loss\nloss.backward()\nreturn loss.item()", "never makes a step"),
        ("optimizer.zero_grad()\nloss = model(**batch).loss\noptimizer.step()\nreturn loss.item()", "no gradients"),
        ("optimizer.zero_grad()\nloss = model(**batch).loss\nloss.backward()\noptimizer.step()\nreturn loss", "a tensor"),
    ],
)  # fmt: skip
def _train_step(train_step):
    import torch

    def reference(model, optimizer, batch, forget=True):
        model.zero_grad() if forget else None
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        return loss.item()

    def run(step):
        model, made, seen = tiny_bert(), [], []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        optimizer.register_step_post_hook(lambda *_: made.append(1))
        for ids in torch.arange(1, 49).reshape(2, 4, 6):
            labels = torch.tensor([0, 1, 1, 0])
            loss = step(model, optimizer, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
            seen.append((loss, torch.cat([weight.detach().flatten() for weight in model.parameters()])))
        return seen, len(made)

    def same(one, other):
        return torch.allclose(one, other, atol=1e-6)

    (found, made), (right, _) = run(train_step), run(reference)
    kept, start = run(lambda *given: reference(*given, forget=False))[0], run(lambda *_: 0.0)[0]
    tensor = any(isinstance(loss, torch.Tensor) for loss, _ in found)
    refuse(
        (not made, "The optimiser never makes a step, so the weights stay as they are."),
        (same(found[1][1], start[1][1]), "The weights stay as they are: there are no gradients when the step is made."),
        (same(found[1][1], kept[1][1]), "In the second step, the gradients of the first step are still there."),
        (tensor, "The loss is a tensor. Kept in a list, it can hold the graph of its whole step in memory."),
    )
    for n, ((loss, weights), (wanted, moved)) in enumerate(zip(found, right, strict=True), start=1):
        loss_is_right = abs(number_of(loss, "The loss") - wanted) < 1e-5
        refuse(
            (not loss_is_right, f"In step {n}, the loss is not {loss:.4f}. It is that of the weights before the step."),
            (not same(weights, moved), f"After step {n}, the weights are not those of one backward pass and one step."),
        )
    return "Everything else in a training loop is about which batch comes next and when to stop."


@exercise(
    "03.6", "Train the top only", "investigate", answer="trainable",
    task="`model` is a `BertForSequenceClassification`. Freeze all of it but the last `last_layers` layers of "
    "`model.bert.encoder.layer`, the pooler `model.bert.pooler` and the head `model.classifier`; these are trained, "
    "whatever was frozen before. Return the number of parameters (single numbers, not tensors) that are trained. "
    "With `last_layers=0`, all encoder layers are frozen.",
    code='''
def trainable(model, last_layers):
    """Freeze all but the top; returns the number of trained parameters."""
    #| solution
    layers = model.bert.encoder.layer
    model.requires_grad_(False)
    for part in [*layers[len(layers) - last_layers :], model.bert.pooler, model.classifier]:
        part.requires_grad_(True)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    #| end
''',
    hints=(
        "Freeze everything first (`requires_grad_(False)` works on any module), then thaw parts. What is "
        "`layers[-0:]`?",
        "`layers[-0:]` is all layers; start the slice at `len(layers) - last_layers`. Count with `numel()`.",
    ),
    wrong=[
        (_TRAINED.format("layers[-last_layers:], *top", "if weight.requires_grad"), "starts at -0"),
        (_TRAINED.format("layers[len(layers) - last_layers :]", "if weight.requires_grad"), "frozen as well"),
        (_TRAINED.format("layers[len(layers) - last_layers :], *top", ""), "all parameters"),
    ],
)  # fmt: skip
def _trainable(trainable):
    from ..model.pretrained import train_only

    model, reference = tiny_bert(), tiny_bert()
    for last in (1, 0, 2):
        found, right = number_of(trainable(model, last), "The result"), train_only(reference, last)
        trained, wanted = (
            {name for name, weight in one.named_parameters() if weight.requires_grad} for one in (model, reference)
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
