"""Each supported architecture, as a tiny random model, and what is refused."""

import json

import numpy as np
import pytest
import torch
from support.architectures import ARCHITECTURES, HEADS, HIDDEN, LAYERS, tiny_checkpoint
from transformers import AutoConfig, AutoModelForSequenceClassification

from sentiment_lib import Classifier, Encoding, fine_tune, initialize_model_and_tokenizer, make_settings
from sentiment_lib.data.preparation import prepare
from sentiment_lib.errors import ModelError
from sentiment_lib.model import architectures
from sentiment_lib.model.architectures import attention_windows, model_limits
from sentiment_lib.model.compute import Compute
from sentiment_lib.model.encoder import encoder_layers, first_token_only, queries_keys_values
from sentiment_lib.model.pretrained import train_only

TEXTS = [
    "A wonderful film. The acting is superb, and the story is moving, to say nothing of the pictures.",
    "Dull.",
    "I loved it: the best nap I have had all year!",
    "Not bad at all, and never boring, not for a single minute of its three hours.",
]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}


def test_all_that_are_known_are_tried():
    assert set(ARCHITECTURES) == set(architectures.ARCHITECTURES)


def plain(folder, kernel="eager", **options):
    """The model as transformers loads it."""
    return AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation=kernel, **options).eval()


def test_predictions_are_those_of_transformers(each_checkpoint):
    model, tokenizer = initialize_model_and_tokenizer(str(each_checkpoint))
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    lengths = batch["attention_mask"].sum(dim=1)
    assert lengths.max() > 2 * lengths.min()
    with torch.inference_mode():
        expected = plain(each_checkpoint)(**batch).logits.numpy()
    assert np.ptp(expected[:, 1] - expected[:, 0]) > 0.01
    classifier = Classifier(model, tokenizer, Encoding(64), "float32")
    np.testing.assert_allclose(classifier.logits(TEXTS), expected[:, 1] - expected[:, 0], atol=2e-5)


def test_bfloat16_is_as_accurate_as_autocast(each_checkpoint):
    """Packed weights, hidden states in bfloat16 and lean attention round about as much as autocast does."""
    model, tokenizer = initialize_model_and_tokenizer(str(each_checkpoint))
    texts = [" ".join(TEXTS[i % 4 :] + TEXTS[: i % 3]) for i in range(12)] + TEXTS
    exact, ours = (Classifier(model, tokenizer, Encoding(64), p).logits(texts) for p in ("float32", "bfloat16"))
    batch = tokenizer(texts, padding=True, truncation=True, max_length=64, return_tensors="pt")
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        logits = plain(each_checkpoint)(**batch).logits.float().numpy()
    rounding = np.abs(logits[:, 1] - logits[:, 0] - exact).mean()
    assert np.abs(ours - exact).mean() < 3 * rounding + 0.005


def test_gradients_are_those_of_transformers(each_checkpoint):
    model, tokenizer = initialize_model_and_tokenizer(str(each_checkpoint), dropout=0)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt") | {"labels": torch.tensor([1, 0, 0, 1])}
    reference = plain(each_checkpoint)
    reference(**batch).loss.backward()
    with first_token_only(model.train()):
        model(**batch).loss.backward()
    expected = dict(reference.named_parameters())
    for name, parameter in model.named_parameters():
        if expected[name].grad is None:
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, expected[name].grad, atol=1e-5, rtol=1e-3, msg=name)


@pytest.mark.slow
def test_it_learns_and_is_what_transformers_loads(each_checkpoint, home, review_file):
    settings = make_settings(
        run="small", source=str(review_file), model=str(each_checkpoint), epochs=4, batch_size=4, learning_rate=3e-3
    )
    dataset, _ = prepare(settings)
    model, tokenizer = initialize_model_and_tokenizer(settings.model, dropout=0.0)

    def loss():
        gaps = Classifier(model, tokenizer, Encoding(64), "float32").logits(list(dataset["train"]["text"]))
        return np.logaddexp(0, np.where(np.array(dataset["train"]["label"]) == 1, -gaps, gaps)).mean()

    before = loss()
    fine_tune(model, tokenizer, dataset, settings)
    assert loss() < before
    with torch.inference_mode():
        logits = plain(settings.paths.model)(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits.numpy()
    found = Classifier(*initialize_model_and_tokenizer(str(settings.paths.model)), Encoding(64), "float32")
    np.testing.assert_allclose(found.logits(TEXTS), logits[:, 1] - logits[:, 0], atol=2e-5)


def twice(folder, dropout):
    """Logits of two passes in training mode."""
    model, tokenizer = initialize_model_and_tokenizer(str(folder), dropout=dropout)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    model.train()
    return model, [model(**batch).logits for _ in range(2)]


def test_every_dropout_follows_the_setting(each_checkpoint):
    _, (first, second) = twice(each_checkpoint, 0.0)
    assert torch.equal(first, second)
    model, (first, second) = twice(each_checkpoint, 0.3)
    assert not torch.allclose(first, second)
    probabilities = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert probabilities == {0.3}


@pytest.mark.parametrize(
    ("model_type", "key"),
    [("distilbert", "seq_classif_dropout"), ("bert", "classifier_dropout"), ("deberta-v2", "cls_dropout")],
)
def test_the_dropout_of_a_head_follows_the_setting(tmp_path, model_type, key):
    folder = tiny_checkpoint(model_type, tmp_path, **{key: 0.4})
    _, (first, second) = twice(folder, None)
    assert not torch.allclose(first, second)
    _, (first, second) = twice(folder, 0.0)
    assert torch.equal(first, second)


def test_the_layers_are_all_there(each_checkpoint):
    model, _ = initialize_model_and_tokenizer(str(each_checkpoint))
    layers = encoder_layers(model)
    assert len(layers) == LAYERS
    called = []
    hooks = [layer.register_forward_hook(lambda module, *_: called.append(module)) for layer in dict.fromkeys(layers)]
    model(torch.arange(5, 13)[None])
    for hook in hooks:
        hook.remove()
    assert called == list(layers)


def without_positions(model):
    """Remove what positions add to the attention scores."""
    with torch.no_grad():
        if model.config.model_type == "mpnet":
            model.mpnet.encoder.relative_attention_bias.weight.zero_()
        if model.config.model_type == "deberta-v2":
            model.config.relative_attention = False
            for module in model.modules():
                if hasattr(module, "relative_attention"):
                    module.relative_attention, module.pos_att_type = False, []
        if model.config.model_type == "modernbert":
            model.model.rotary_emb.register_forward_hook(lambda *_: (torch.ones(1, 1, 1), torch.zeros(1, 1, 1)))


def test_queries_and_keys_of_a_head_give_the_models_weights(each_checkpoint):
    model, _ = initialize_model_and_tokenizer(str(each_checkpoint), compute=Compute("cpu", "float32", "eager"))
    without_positions(model)
    layer, head, size = 2, 1, HIDDEN // HEADS
    with torch.inference_mode():
        found = model(torch.arange(5, 13)[None], output_hidden_states=True, output_attentions=True)
        functions = queries_keys_values(encoder_layers(model)[layer])[:2]
        queries, keys = (
            matrix(found.hidden_states[layer])[0, :, head * size : (head + 1) * size] for matrix in functions
        )
    weights = torch.softmax(queries @ keys.T / size**0.5, dim=-1)
    torch.testing.assert_close(weights, found.attentions[layer][0, head], atol=1e-5, rtol=1e-4)


def test_the_longest_input_is_read_and_no_longer_one(each_checkpoint):
    model, tokenizer = initialize_model_and_tokenizer(str(each_checkpoint))
    assert tokenizer.model_max_length == 128
    ids = torch.full((1, 128), 7)
    assert model(ids).logits.isfinite().all()


def test_what_lessons_show_differently_is_known_from_the_configuration():
    limits = {kind: " ".join(model_limits(tiny_config(kind))) for kind in ARCHITECTURES}
    assert limits["bert"] == limits["distilbert"] == limits["roberta"] == ""
    assert "local in layers 1: a token attends to at most 4 tokens to either side" in limits["modernbert"]
    assert "rotated" in limits["modernbert"]
    assert "the mean of all tokens" in limits["modernbert"]
    assert "shares its weights with 2 others" in limits["albert"]
    assert "distance" in limits["mpnet"]
    assert "distance" in limits["deberta-v2"]


def tiny_config(model_type, **changes):
    from support.architectures import CONFIGS

    return AutoConfig.for_model(model_type, **CONFIGS[model_type] | changes)


def test_windows_of_each_layer():
    assert attention_windows(tiny_config("modernbert")) == (None, 4, None)
    assert attention_windows(tiny_config("albert")) == (None, None, None)


def test_layers_that_share_their_weights_are_trained_together(tmp_path):
    model, _ = initialize_model_and_tokenizer(str(tiny_checkpoint("albert", tmp_path)))
    with pytest.raises(ModelError, match=r"trained_layers=1, but the 3 layers of a Albert\w+ share their weights"):
        train_only(model, 1)
    assert 0 < train_only(model, 0) < train_only(model, None)
    model, _ = initialize_model_and_tokenizer(str(tiny_checkpoint("albert", tmp_path, num_hidden_groups=3)))
    assert train_only(model, 1) < train_only(model, 2)


REFUSED = {
    "longformer": (SIZES | {"attention_window": 4}, "a window around each token"),
    "big_bird": (SIZES, "blocks of tokens"),
    "xlnet": ({"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 16}, "no output projection"),
    "funnel": ({"d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 16, "block_sizes": [1, 1]}, "merges tokens"),
    "fnet": ({"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 16}, "no attention"),
    "gpt2": ({"n_embd": 16, "n_layer": 2, "n_head": 2}, "it is a decoder"),
    "t5": ({"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 2, "num_heads": 2}, "an encoder and a decoder"),
    "vit": (SIZES, "no classifier of texts"),
    "squeezebert": (SIZES | {"embedding_size": 16}, "does not know where"),
    "albert": (SIZES | {"inner_group_num": 2}, "each of its layers consists of 2"),
    "bert": (SIZES | {"pad_token_id": None}, "no token for padding"),
}


@pytest.mark.parametrize("model_type", REFUSED)
def test_others_are_refused_with_the_reason_before_weights_are_read(tmp_path, model_type):
    options, reason = REFUSED[model_type]
    config = AutoConfig.for_model(model_type, **options)
    config.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(
        ModelError, match=rf"\(model_type '{model_type}'\) cannot be used here: .*{reason}.*Use a BERT, "
    ):
        initialize_model_and_tokenizer(str(tmp_path))


ORDERS = [("negative", "positive"), ("NEG", "Pos"), ("LABEL_0", "LABEL_1"), ("POSITIVE", "NEGATIVE"), ("pos", "neg")]


@pytest.mark.parametrize("labels", ORDERS)
def test_predictions_are_of_positive_whatever_the_order_of_the_classes(tmp_path, labels):
    """The names in the checkpoint say which of its classes is positive."""
    check_order(tmp_path, "bert", labels)


def test_the_order_of_the_classes_is_read_for_each_architecture(tmp_path_factory):
    for model_type in ARCHITECTURES:
        check_order(tmp_path_factory.mktemp("positive_first"), model_type, ("POSITIVE", "NEGATIVE"))


def check_order(folder, model_type, labels):
    tiny_checkpoint(model_type, folder, labels=labels)
    model, tokenizer = initialize_model_and_tokenizer(str(folder))
    assert model.config.id2label == {0: "negative", 1: "positive"}
    theirs = plain(folder)
    with torch.inference_mode():
        shares = theirs(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits.softmax(dim=-1)
    positive = 0 if labels[0].lower().startswith("pos") else 1
    expected = shares[:, positive].numpy()
    assert np.abs(expected - 0.5).max() > 0.01
    np.testing.assert_allclose(
        Classifier(model, tokenizer, Encoding(64), "float32").predict(TEXTS), expected, atol=1e-5
    )


def test_a_head_is_read_by_its_names_even_if_the_configuration_does_not_mention_it(tmp_path):
    tiny_checkpoint("bert", tmp_path, labels=("POSITIVE", "NEGATIVE"))
    original = plain(tmp_path).classifier.weight
    config = json.loads((tmp_path / "config.json").read_text())
    del config["architectures"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert torch.equal(initialize_model_and_tokenizer(str(tmp_path))[0].classifier.weight, original.flip(0))


def test_names_of_classes_without_a_head_do_not_matter(tmp_path):
    tiny_checkpoint("bert", tmp_path, id2label={0: "toxic", 1: "ok"}, label2id={"toxic": 0, "ok": 1})
    assert initialize_model_and_tokenizer(str(tmp_path))[0].config.id2label == {0: "negative", 1: "positive"}


@pytest.mark.parametrize("labels", [("toxic", "ok"), ("negative", "neutral"), ("pos", "positive")])
def test_classes_that_are_not_negative_and_positive_are_refused(tmp_path, labels):
    tiny_checkpoint("bert", tmp_path, labels=labels)
    with pytest.raises(ModelError, match=rf"classes '{labels[0]}' and '{labels[1]}'.*\"id2label\": "):
        initialize_model_and_tokenizer(str(tmp_path))
