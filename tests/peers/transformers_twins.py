"""Transformers' models with weights of ours, and ours in their names.

A twin is built in the dtype of the weights. Transformers computes norms, rotary angles and routers in float32 whatever
the model is in; for float64 its source is run with those words replaced, so that the whole twin is float64.
"""

import importlib
import inspect
import re
import types

import torch

IN_LAYER = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.q.weight": "self_attn.q_proj.weight",
    "attention.k.weight": "self_attn.k_proj.weight",
    "attention.v.weight": "self_attn.v_proj.weight",
    "attention.o.weight": "self_attn.o_proj.weight",
    "attention.q_norm.weight": "self_attn.q_norm.weight",
    "attention.k_norm.weight": "self_attn.k_norm.weight",
    "ffw_norm.weight": "post_attention_layernorm.weight",
    "ffw.gate.weight": "mlp.gate_proj.weight",
    "ffw.up.weight": "mlp.up_proj.weight",
    "ffw.down.weight": "mlp.down_proj.weight",
    "ffw.router.weight": "mlp.gate.weight",
    "ffw.experts.down": "mlp.experts.down_proj",
}
OUTSIDE = {
    "decoder.embedding": "model.embed_tokens.weight",
    "decoder.final_norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
CLASSES = {  # by kind: module, config, model
    "llama": ("llama", "LlamaConfig", "LlamaForCausalLM"),
    "mixtral": ("mixtral", "MixtralConfig", "MixtralForCausalLM"),
    "qwen3_moe": ("qwen3_moe", "Qwen3MoeConfig", "Qwen3MoeForCausalLM"),
    "olmoe": ("olmoe", "OlmoeConfig", "OlmoeForCausalLM"),
}


def in_their_names(ours, prefix="model."):
    """Tensors of ours whose names begin with the prefix, under Transformers' names; gate and up of experts are one
    tensor there."""
    theirs = {}
    for name, tensor in ours.items():
        if not name.startswith(prefix):
            continue
        name = name.removeprefix(prefix)
        if name in OUTSIDE:
            theirs[OUTSIDE[name]] = tensor
            continue
        _, _, layer, part = name.split(".", 3)
        if part == "ffw.experts.gate":
            both = torch.cat([tensor, ours[f"{prefix}{name.replace('.gate', '.up')}"]], 1)
            theirs[f"model.layers.{layer}.mlp.experts.gate_up_proj"] = both
        elif part != "ffw.experts.up":
            theirs[f"model.layers.{layer}.{IN_LAYER[part]}"] = tensor
    return theirs


def settings(kind, model, vocab_size, length):
    ffw = model["ffw"]
    common = dict(
        vocab_size=vocab_size,
        hidden_size=model["d_model"],
        num_hidden_layers=model["n_layers"],
        num_attention_heads=model["n_heads"],
        num_key_value_heads=model.get("n_kv_heads", model["n_heads"]),
        max_position_embeddings=length,
        rms_norm_eps=model.get("norm_eps", 1e-5),
        rope_parameters={"rope_type": "default", "rope_theta": model.get("rope_theta", 10000.0)},
        tie_word_embeddings=model.get("tie_embeddings", True),
        attn_implementation="eager",
        pad_token_id=None,
        bos_token_id=None,
        eos_token_id=None,
    )
    if kind != "olmoe":
        common["head_dim"] = model.get("head_dim", model["d_model"] // model["n_heads"])
    if kind == "llama":
        return common | dict(intermediate_size=ffw["d_ff"])
    experts = dict(num_experts_per_tok=ffw["top_k"], experts_implementation="eager")
    width, count = ffw["d_expert"], ffw["num_experts"]
    match kind:
        case "mixtral":
            return common | experts | dict(num_local_experts=count, intermediate_size=width)
        case "qwen3_moe":
            own = dict(num_experts=count, moe_intermediate_size=width, norm_topk_prob=True)
            return common | experts | own
        case "olmoe":
            return common | experts | dict(num_experts=count, intermediate_size=width, norm_topk_prob=False)


def in_float64(module):
    """The module with float32 replaced by float64 throughout."""
    source = inspect.getsource(module)
    source = re.sub(r"torch\.float32|torch\.float\b", "torch.float64", source).replace(".float()", ".double()")
    twin = types.ModuleType(module.__name__ + "_float64")
    twin.__package__, twin.__file__ = module.__package__, module.__file__
    importlib.sys.modules[twin.__name__] = twin
    exec(compile(source, module.__file__, "exec"), vars(twin))
    return twin


def twin(kind, model, vocab_size, weights, length=64):
    """`model` as in YAML; `weights` by their names in a checkpoint. Rows that only pad the vocabulary are left away."""
    folder, config_name, model_name = CLASSES[kind]
    dtype = weights["model.decoder.embedding"].dtype
    module = importlib.import_module(f"transformers.models.{folder}.modeling_{folder}")
    config = getattr(module, config_name)(**settings(kind, model, vocab_size, length))
    if dtype == torch.float64:
        module = in_float64(module)
    made = getattr(module, model_name)(config).to(dtype)
    theirs = in_their_names(weights)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in theirs:
            theirs[name] = theirs[name][:vocab_size]
    missing, unexpected = made.load_state_dict(theirs, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    made.tie_weights()
    return made
