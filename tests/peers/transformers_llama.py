"""Transformers' Llama with weights of ours."""

from transformers import LlamaConfig, LlamaForCausalLM

IN_LAYER = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.q.weight": "self_attn.q_proj.weight",
    "attention.k.weight": "self_attn.k_proj.weight",
    "attention.v.weight": "self_attn.v_proj.weight",
    "attention.o.weight": "self_attn.o_proj.weight",
    "ffw_norm.weight": "post_attention_layernorm.weight",
    "ffw.gate.weight": "mlp.gate_proj.weight",
    "ffw.up.weight": "mlp.up_proj.weight",
    "ffw.down.weight": "mlp.down_proj.weight",
}


def llama_names(n_layers, tied):
    """Their name of each parameter of ours."""
    names = {"decoder.embedding": "model.embed_tokens.weight", "decoder.final_norm.weight": "model.norm.weight"}
    for i in range(n_layers):
        names |= {f"decoder.layers.{i}.{ours}": f"model.layers.{i}.{theirs}" for ours, theirs in IN_LAYER.items()}
    return names if tied else names | {"head.weight": "lm_head.weight"}


def llama(model, vocab_size, weights):
    """`model` as in YAML; `weights` by their names in a checkpoint. Rows that only pad the vocabulary are left away."""
    tied = model.get("tie_embeddings", True)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=model["d_model"],
        intermediate_size=model["ffw"]["d_ff"],
        num_hidden_layers=model["n_layers"],
        num_attention_heads=model["n_heads"],
        num_key_value_heads=model.get("n_kv_heads", model["n_heads"]),
        head_dim=model.get("head_dim", model["d_model"] // model["n_heads"]),
        rms_norm_eps=model.get("norm_eps", 1e-5),
        rope_parameters={"rope_type": "default", "rope_theta": model.get("rope_theta", 10000.0)},
        tie_word_embeddings=tied,
        attn_implementation="eager",
    )
    twin = LlamaForCausalLM(config)
    mapped = {theirs: weights[f"model.{ours}"] for ours, theirs in llama_names(model["n_layers"], tied).items()}
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in mapped:
            mapped[name] = mapped[name][:vocab_size]
    missing, unexpected = twin.load_state_dict(mapped, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    twin.tie_weights()
    return twin
