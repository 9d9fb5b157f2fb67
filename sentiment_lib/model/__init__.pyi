from .baselines import (
    Baseline,
    LinearProbe,
    MajorityClass,
    TfidfLogistic,
    VaderLexicon,
    fit_baselines,
    frozen_embedding,
    load_baselines,
    save_baselines,
)
from .compute import Compute, choose_compute, device_of, has_bfloat16
from .encoder import encoder_layers, first_token_only, query_and_key
from .file_prediction import predict_file
from .inference import Classifier, predict
from .lean_attention import register_lean_attention
from .pretrained import bundled_checkpoint, initialize_model_and_tokenizer, train_only
from .training import TrainingResult, check_trained, fine_tune, load_training, save_model, save_training

__all__ = [
    "Baseline",
    "Classifier",
    "Compute",
    "LinearProbe",
    "MajorityClass",
    "TfidfLogistic",
    "TrainingResult",
    "VaderLexicon",
    "bundled_checkpoint",
    "check_trained",
    "choose_compute",
    "device_of",
    "encoder_layers",
    "fine_tune",
    "first_token_only",
    "fit_baselines",
    "frozen_embedding",
    "has_bfloat16",
    "initialize_model_and_tokenizer",
    "load_baselines",
    "load_training",
    "predict",
    "predict_file",
    "query_and_key",
    "register_lean_attention",
    "save_baselines",
    "save_model",
    "save_training",
    "train_only",
]
