"""Folders that are nearly a model say what they are."""

import json
import re
import runpy

import pytest
import torch
from support.architectures import tiny_checkpoint

from sentiment_lib import initialize_model_and_tokenizer
from sentiment_lib.errors import ModelError
from sentiment_lib.model.checkpoint_files import what_it_is


def refusal(folder) -> str:
    with pytest.raises(ModelError) as caught:
        initialize_model_and_tokenizer(str(folder))
    return str(caught.value)


def with_files(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    return folder


def recipe(message: str) -> str:
    """The lines of code in a message."""
    return "\n".join(line.removeprefix("    ") for line in message.splitlines() if line.startswith("    "))


def test_the_output_folder_of_a_trainer_names_its_checkpoints(tmp_path):
    for step in (500, 1000, 50):
        tiny_checkpoint("bert", tmp_path / f"checkpoint-{step}")
    state = {"best_model_checkpoint": "elsewhere/out/checkpoint-500", "best_metric": 0.9}
    (tmp_path / "checkpoint-1000" / "trainer_state.json").write_text(json.dumps(state))
    with_files(tmp_path, "training_args.bin")
    message = refusal(tmp_path)
    assert "output folder of a Trainer" in message
    assert "checkpoint-50, checkpoint-500, checkpoint-1000" in message
    assert "checkpoint-500 was the best in validation, checkpoint-1000 is the newest" in message
    initialize_model_and_tokenizer(re.search(r"For example: (.*)$", message)[1])


def test_the_newest_checkpoint_is_named_where_none_is_the_best(tmp_path):
    with_files(tmp_path, "checkpoint-9/config.json", "checkpoint-10/config.json", "checkpoint-10/trainer_state.json")
    message = refusal(tmp_path)
    assert "(checkpoint-10 is the newest)" in message
    assert message.endswith("/checkpoint-10")


def test_an_adapter_says_how_to_merge_it(tmp_path):
    with_files(tmp_path, "adapter_model.safetensors", "tokenizer.json")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "google-bert/bert-base"}))
    message = refusal(tmp_path)
    assert "holds an adapter" in message
    code = recipe(message)
    compile(code, "recipe", "exec")
    assert "from_pretrained('google-bert/bert-base', num_labels=2)" in code
    assert f"PeftModel.from_pretrained(base, '{tmp_path}').merge_and_unload().save_pretrained('merged')" in code


def test_pickled_weights_come_with_a_recipe_that_works(tmp_path):
    """Tied weights are one tensor under two names in a pickle, which safetensors refuses."""
    from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

    tiny_checkpoint("bert", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    model = AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(tmp_path))
    weights = {**model.state_dict(), "cls.predictions.decoder.weight": model.bert.embeddings.word_embeddings.weight}
    torch.save(weights, tmp_path / "pytorch_model.bin")
    message = refusal(tmp_path)
    assert "pickled weights are not read" in message
    (tmp_path / "recipe.py").write_text(recipe(message), encoding="utf-8")
    runpy.run_path(str(tmp_path / "recipe.py"))
    loaded, _ = initialize_model_and_tokenizer(str(tmp_path))
    assert torch.equal(loaded.bert.embeddings.word_embeddings.weight, model.bert.embeddings.word_embeddings.weight)
    AutoTokenizer.from_pretrained(tmp_path)


def test_the_recipe_runs_no_code_of_the_checkpoint(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    folder = with_files(tmp_path / "model", "config.json")
    torch.save({"x": Bomb()}, folder / "pytorch_model.bin")
    (tmp_path / "recipe.py").write_text(recipe(refusal(folder)), encoding="utf-8")
    with pytest.raises(Exception, match="weights_only"):
        runpy.run_path(str(tmp_path / "recipe.py"))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["tokenizer.json", "tokenizer_config.json"], "holds a tokenizer only"),
        (["model-Q4_K_M.gguf", "config.json"], "GGUF"),
        (["config.json", "tf_model.h5"], "from_tf=True"),
        (["config.json", "flax_model.msgpack"], "from_flax=True"),
        (["config.json", "model.onnx"], "ONNX"),
        (["config.json", "onnx/model.onnx"], "ONNX"),
        (["config.json", "tokenizer.json"], "has a config.json, but no weights"),
        (["config.json", "weights.safetensors"], "weights.safetensors is not a name that transformers reads"),
        (["model.safetensors", "tokenizer.json"], "has weights, but no config.json"),
        (["readme.txt", "notes.md"], "It holds notes.md, readme.txt"),
        ([], "It holds no files"),
    ],
)
def test_other_folders_say_what_they_hold(tmp_path, files, said):
    message = refusal(with_files(tmp_path, *files))
    assert said in message
    assert str(tmp_path) in message


def test_a_folder_around_a_model_names_it(tmp_path):
    tiny_checkpoint("bert", tmp_path / "model")
    message = refusal(tmp_path)
    assert "is not a model, but holds one" in message
    initialize_model_and_tokenizer(re.search(r"Give (.*)$", message)[1])


def test_a_file_is_not_a_model(tmp_path):
    file = tiny_checkpoint("bert", tmp_path) / "model.safetensors"
    assert "is a file. Give the folder" in refusal(file)


def test_a_folder_of_sentence_transformers_is_a_model(tmp_path):
    tiny_checkpoint("mpnet", tmp_path)
    with_files(tmp_path, "modules.json", "config_sentence_transformers.json", "1_Pooling/config.json")
    initialize_model_and_tokenizer(str(tmp_path))


def test_a_repository_is_to_be_downloaded_first(tmp_path):
    pickled = what_it_is({"config.json", "pytorch_model.bin"}, "owner/name", tmp_path, on_hub=True)
    assert "(hf download owner/name --local-dir name)" in pickled
    assert "Path('name')" in recipe(pickled)
    steps = what_it_is({"checkpoint-5/config.json"}, "owner/name", tmp_path, on_hub=True)
    assert "(hf download owner/name --local-dir name)" in steps
    assert steps.endswith("For example: name/checkpoint-5")
