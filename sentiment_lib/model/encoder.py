"""The layers of an encoder, and ways to get the same results with less computation. Taught in lesson 03."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import ArgumentError, ModelError
from ._torch import can_pack, packed_linear
from .architectures import ARCHITECTURES, SUPPORTED, Architecture, architecture_of
from .compute import device_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_reads_first: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


def encoder_layers(model: PreTrainedModel):
    """The encoder's layers in the order of computation; None for an unknown architecture.

    They are the model's own ``torch.nn.ModuleList``. In an ALBERT, whose layers share their weights, a list has the
    same module several times.
    """
    architecture = architecture_of(model.config)
    layers: Any = architecture and _part_of(model.base_model, architecture.layers)
    groups = getattr(model.config, "num_hidden_groups", None)
    if layers is None or groups is None:
        return layers
    number = model.config.num_hidden_layers
    return [layers[int(i / (number / groups))].albert_layers[0] for i in range(number)]  # as ALBERT's forward does


def _part_of(module: Any, path: str) -> Any:
    """The submodule under a dotted name, or None."""
    try:
        return attrgetter(path)(module)
    except AttributeError:
        return None


def queries_keys_values(layer: Any) -> tuple[Callable[[torch.Tensor], torch.Tensor], ...]:
    """Three functions that compute the queries, keys and values of a layer from the hidden states that it reads.

    Each takes a tensor of shape ``(texts, tokens, hidden size)`` and returns one of the same shape, with the heads side
    by side. For most architectures they are linear layers. What positions add to the scores, as
    :func:`sentiment_lib.model.architectures.model_limits` says, is not included.

    Raises
    ------
    ArgumentError
        For a layer of an unknown architecture.
    """
    for architecture in sorted(ARCHITECTURES.values(), key=lambda architecture: not architecture.norm):
        if found := _projections_of(layer, architecture):
            return found
    raise ArgumentError(f"A {type(layer).__name__} has no queries and keys under known names; use a {SUPPORTED} model.")


def _projections_of(layer: Any, architecture: Architecture) -> tuple[Callable, ...]:
    parts = [_part_of(layer, path) for path in architecture.projections]
    norm: Any = _part_of(layer, architecture.norm) if architecture.norm else None
    if None in parts or (architecture.norm and norm is None):
        return ()

    def projected(i, states):
        states = states if norm is None else norm(states)
        return parts[i](states) if len(parts) == 3 else parts[0](states).chunk(3, dim=-1)[i]

    return tuple(parts) if norm is None and len(parts) == 3 else tuple(partial(projected, i) for i in range(3))


def output_projections(model: PreTrainedModel) -> list[torch.nn.Linear]:
    """For each layer, the linear layer that mixes the outputs of its heads; for an unknown model a ModelError."""
    return [_part_of(layer, ARCHITECTURES[model.config.model_type].output) for layer in _layers_of(model)]


def head_outputs_changed(
    model: PreTrainedModel, changes: Mapping[int, Callable[[torch.Tensor], torch.Tensor]]
) -> AbstractContextManager[None]:
    """Replace what goes into the attention's output projection of some layers, until the block ends.

    Parameters
    ----------
    changes : mapping of int to callable
        For each layer, counted from 0, a function from the outputs of all heads side by side, a tensor of shape
        ``(texts, tokens, heads * size of a head)``, to what replaces them. A layer that shares its weights with others,
        as in an ALBERT, is changed alone.

    Raises
    ------
    ModelError
        If the model's architecture is unknown.
    """
    return _hooked(model, output_projections(model), changes, "register_forward_pre_hook", _input_changed)


def layer_inputs_changed(
    model: PreTrainedModel, changes: Mapping[int, Callable[[torch.Tensor], torch.Tensor]]
) -> AbstractContextManager[None]:
    """Replace the hidden states that some layers read, shape ``(texts, tokens, hidden size)``, until the block ends.

    Parameters and errors are those of :func:`head_outputs_changed`.
    """
    return _hooked(model, _layers_of(model), changes, "register_forward_pre_hook", _input_changed)


def layer_outputs_changed(
    model: PreTrainedModel, changes: Mapping[int, Callable[[torch.Tensor], torch.Tensor]]
) -> AbstractContextManager[None]:
    """Replace the hidden states that some layers put out, as :func:`layer_inputs_changed` does those that they read."""
    return _hooked(model, _layers_of(model), changes, "register_forward_hook", _output_changed)


def _layers_of(model: PreTrainedModel) -> list[torch.nn.Module]:
    layers = encoder_layers(model)
    if layers is None:
        raise ModelError(f"The layers of a {type(model).__name__} cannot be reached; use a {SUPPORTED} model.")
    return list(layers)


def _input_changed(change, inputs, named):
    if inputs:
        return (change(inputs[0]), *inputs[1:]), named
    return inputs, {**named, "hidden_states": change(named["hidden_states"])}


def _output_changed(change, inputs, named, output):
    return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)


@contextmanager
def _hooked(
    model: PreTrainedModel, modules: Sequence[torch.nn.Module], changes: Mapping[int, Callable], register: str, hook
) -> Iterator[None]:
    """Hook the module of each layer that has a change, also where layers share it, as in an ALBERT."""
    served: dict[torch.nn.Module, list[int]] = {}  # layers that use a module, in the order of its calls
    for layer, module in enumerate(modules):
        served.setdefault(module, []).append(layer)
    calls: Counter[torch.nn.Module] = Counter()

    def numbered(module, *seen):
        layer = served[module][calls[module] % len(served[module])]
        calls[module] += 1
        return hook(changes[layer], *seen) if layer in changes else None

    with ExitStack() as stack:
        stack.callback(model.base_model.register_forward_pre_hook(lambda *_: calls.clear()).remove)
        for module, layers in served.items():
            if not changes.keys().isdisjoint(layers):
                stack.callback(getattr(module, register)(numbered, with_kwargs=True).remove)
        yield


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """The model in evaluation mode, without dropout, until the block ends."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@contextmanager
def activations_kept(
    model: PreTrainedModel, changed: Callable[..., AbstractContextManager[None]]
) -> Iterator[dict[int, torch.Tensor]]:
    """Keep, by layer, what a function such as :func:`layer_inputs_changed` could change, and change nothing."""
    kept: dict[int, torch.Tensor] = {}

    def keep(layer: int, seen: torch.Tensor) -> torch.Tensor:
        kept[layer] = seen.detach().clone()
        return seen

    with changed(model, {layer: partial(keep, layer) for layer in range(model.config.num_hidden_layers)}):
        yield kept


@contextmanager
def layer_outputs_kept(model: PreTrainedModel) -> Iterator[dict[int, Any]]:
    """Keep what each layer returns, by its number from 0, of the latest computation; for :func:`layers_skipped`."""
    kept: dict[int, Any] = {}

    def keep(number: int, _: Any, __: Any, output: Any) -> None:
        kept[number] = output

    with ExitStack() as stack:
        for number, layer in enumerate(_layers_of(model)):
            stack.callback(layer.register_forward_hook(partial(keep, number)).remove)
        yield kept


def layers_skipped(model: PreTrainedModel, kept: Mapping[int, Any], before: int) -> AbstractContextManager[None]:
    """Take what the layers below layer `before` return from :func:`layer_outputs_kept`, until the block ends.

    Nothing below a layer depends on what is changed in it, so with the same input a change in layer `before` needs only
    the layers from there on. Layers that share their weights, as in an ALBERT, are computed as usual.
    """

    def taken(number: int, *_: Any, **__: Any) -> Any:
        return kept[number]

    layers = _layers_of(model)
    skipped = layers[:before] if len(set(layers)) == len(layers) else []
    return _forwards_replaced({layer: partial(taken, number) for number, layer in enumerate(skipped)})


@contextmanager
def _forwards_replaced(forwards: Mapping[Any, Callable]) -> Iterator[None]:
    """Let modules compute with other functions, until the block ends."""
    with ExitStack() as stack:
        for module, forward in forwards.items():
            module.forward = forward
            stack.callback(delattr, module, "forward")
        yield


def first_token_only(model: PreTrainedModel) -> AbstractContextManager[None]:
    """Compute the last layer only for the first token while the block runs.

    A classifier on [CLS] reads one vector of the last layer. The layer's queries, outputs and feed-forward network for
    all other tokens are not used. Logits and gradients stay the same. A model that reads more than the first token
    (this is tested once per model), or whose layers are not BERT's, is computed as usual. A nested block changes
    nothing.
    """
    last = (encoder_layers(model) or [None])[-1]
    if last is None or "forward" in vars(last) or not _reads_first_token_only(model, last):
        return nullcontext()
    return _short_last_layer(model, last)


def _short_last_layer(model: PreTrainedModel, layer: Any) -> AbstractContextManager[None]:
    return _forwards_replaced({layer: partial(_first_token, layer, model.config)})


def _first_token(layer, config, hidden_states, attention_mask=None, *_, **kwargs):
    """A BERT layer for the first token: ``(texts, tokens, size)`` to ``(texts, 1, size)``."""
    from ._transformers import attention_function
    from .lean_attention import lean_attention

    attention = layer.attention.self
    first = hidden_states[:, :1]
    query, key, value = (
        project(states).unflatten(-1, (-1, attention.attention_head_size)).transpose(1, 2)
        for project, states in (
            (attention.query, first),
            (attention.key, hidden_states),
            (attention.value, hidden_states),
        )
    )
    if attention_mask is not None and attention_mask.dim() == 4:
        attention_mask = attention_mask[:, :, :1]
    kwargs |= {"dropout": attention.dropout.p if attention.training else 0.0, "scaling": attention.scaling}
    compute = attention_function(config, lean_attention)
    mixed, _ = compute(attention, query, key, value, attention_mask, **kwargs)
    attended = layer.attention.output(mixed.flatten(2), first)
    return layer.output(layer.intermediate(attended), attended)


def _reads_first_token_only(model: PreTrainedModel, layer: Any) -> bool:
    """Whether the logits stay the same without the last layer's other tokens; tested once per model on fixed ids."""
    import torch

    if model not in _reads_first:
        architecture = architecture_of(model.config)
        same = architecture is not None and architecture.is_bert and hasattr(layer.attention.self, "scaling")
        if same and not model.config.is_decoder:
            ids = torch.arange(16, device=device_of(model)).reshape(2, 8) % model.config.vocab_size
            mask = torch.ones_like(ids)
            mask[1, 5:] = 0
            with evaluating(model), torch.inference_mode():
                expected = model(input_ids=ids, attention_mask=mask).logits
                with _short_last_layer(model, layer):
                    found = model(input_ids=ids, attention_mask=mask).logits
            same = torch.allclose(expected, found, atol=1e-2 if found.dtype == torch.bfloat16 else 1e-4)
        _reads_first[model] = same
    return _reads_first[model]


@contextmanager
def bfloat16_hidden_states(model: PreTrainedModel) -> Iterator[None]:
    """Keep the hidden states between the layers in bfloat16 while the block runs, where autocast is on.

    Autocast computes matrix products in bfloat16, but adds and normalises in float32, the precision of the embeddings,
    and so casts each layer's states back and forth. This works on a CPU; other devices are unchanged. So are encoders
    that add to their hidden states from layer to layer without normalising them, such as ModernBERT: in bfloat16, small
    terms would be lost.
    """
    import torch

    def cast(_, __, states):
        enabled = states.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        return states.to(torch.bfloat16) if enabled else states

    architecture = architecture_of(model.config)
    embeddings = getattr(model.base_model, "embeddings", None)
    with ExitStack() as stack:
        if embeddings is not None and architecture is not None and not architecture.norm:
            stack.callback(embeddings.register_forward_hook(cast).remove)
        yield


def packed_weights(model: PreTrainedModel) -> AbstractContextManager[None]:
    """Cast the encoder's weights to bfloat16 and reorder them once for the block instead of in every batch.

    For prediction on a CPU, because no gradients are computed. The order is oneDNN's, which also computes the GELU
    while the matrix product is still in the cache. A PyTorch without these operations computes as usual.
    """
    import torch

    layers = encoder_layers(model) or ()
    forwards: dict[Any, Callable] = {}
    if can_pack() and device_of(model).type == "cpu":
        gelu = getattr(model.config, "hidden_act", None) == "gelu"
        for part in dict.fromkeys(part for layer in layers for part in layer.modules()):
            if type(part) is torch.nn.Linear:
                forwards[part] = packed_linear(part, "none")
            elif gelu and hasattr(part, "intermediate_act_fn") and type(part.dense) is torch.nn.Linear:
                forwards[part] = packed_linear(part.dense, "gelu")
    return _forwards_replaced(forwards)
