"""The peers' side of scripts/bench: peers.py WORK SHAPE THREADS builds the work and says "ready"; then does it once for
every line it reads, and answers with the seconds by part, a line of JSON. main.cpp speaks the same way."""

import array
import json
import sys
import time
from pathlib import Path


class Stopwatch:
    def __init__(self):
        self.seconds = {}
        self.begin = time.perf_counter()

    def part(self, name):
        now = time.perf_counter()
        self.seconds[name] = now - self.begin
        self.begin = now


def adamw(parameters, optim):
    import torch

    return torch.optim.AdamW(parameters, lr=optim["lr"], betas=(0.9, 0.95), weight_decay=0.1, fused=True)


def training_step(module, optimizer, forward, backward):
    """clear, forward, backward, clip, update: what peerless calls a step."""
    import torch

    watch = Stopwatch()
    optimizer.zero_grad()
    watch.part("clear")
    result = forward()
    watch.part("forward")
    backward(result)
    watch.part("backward")
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    watch.part("clip")
    optimizer.step()
    watch.part("update")
    return watch.seconds


def peer_pytorch(shape, threads):
    """peer-pytorch in the paper's form: softmax over the top-k of each head; its defaults otherwise."""
    import torch
    from PEER_pytorch import PEER

    ffw = shape["ffw"]
    layer = PEER(
        shape["d_model"],
        heads=ffw["heads"],
        num_experts=ffw["num_experts"],
        num_experts_per_head=ffw["top_k"],
        dim_key=ffw["d_key"] // 2,
        non_competing_scores=False,
    )
    optimizer = adamw(layer.parameters(), shape["optim"])

    def run():
        x = torch.randn(shape["batch"], shape["seq_len"], shape["d_model"], requires_grad=True)
        grad_y = torch.randn_like(x)
        return training_step(layer, optimizer, lambda: layer(x), lambda y: y.backward(grad_y))

    return run


def llama(shape, threads):
    """Transformers' Llama, eager; attention by PyTorch's fused operator, its default."""
    from transformers import LlamaConfig, LlamaForCausalLM

    width = shape["model"]["ffw"]["d_ff"]
    return model_step(LlamaForCausalLM(LlamaConfig(**common(shape), intermediate_size=width)), shape)


def mixtral(shape, threads):
    """Transformers' Mixtral with its fastest experts on CPUs, grouped_mm; its router's losses as in the shape."""
    from transformers import MixtralConfig, MixtralForCausalLM

    ffw = shape["model"]["ffw"]
    config = MixtralConfig(
        **common(shape),
        intermediate_size=ffw["d_expert"],
        num_local_experts=ffw["num_experts"],
        num_experts_per_tok=ffw["top_k"],
        output_router_logits=True,
        router_aux_loss_coef=ffw["aux_loss"],
        experts_implementation="grouped_mm",
    )
    return model_step(MixtralForCausalLM(config), shape)


def common(shape):
    model = shape["model"]
    return dict(
        vocab_size=shape["vocab_size"],
        hidden_size=model["d_model"],
        num_hidden_layers=model["n_layers"],
        num_attention_heads=model["n_heads"],
        num_key_value_heads=model["n_heads"],
        max_position_embeddings=shape["seq_len"],
        tie_word_embeddings=True,
        use_cache=False,
    )


def model_step(module, shape):
    import torch

    optimizer = adamw(module.parameters(), shape["optim"])

    def run():
        ids = torch.randint(shape["vocab_size"], (shape["batch"], shape["seq_len"]))
        forward = lambda: module(input_ids=ids, labels=ids).loss
        return training_step(module, optimizer, forward, lambda loss: loss.backward())

    return run


def sentencepiece(shape, threads):
    """Reads the files, encodes them on all threads, writes the ids as 16-bit numbers."""
    from sentencepiece import SentencePieceProcessor

    tokenizer = SentencePieceProcessor(model_file=shape["model"])

    def run():
        watch = Stopwatch()
        texts = [path.read_text() for path in sorted(Path(shape["texts"]).rglob("*.h"))]
        watch.part("read")
        ids = tokenizer.encode(texts, num_threads=threads)
        watch.part("encode")
        with open(shape["out"], "wb") as out:
            for document in ids:
                array.array("H", document).tofile(out)
        watch.part("write")
        return watch.seconds

    return run


def main():
    work, shape, threads = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    if work != "sentencepiece":
        import torch

        torch.set_num_threads(threads)
        torch.manual_seed(1)
    if work == "first_step":  # of a program that is started for it
        llama(shape, threads)()
        print("step 1/1", flush=True)
        return
    works = {"peer_pytorch": peer_pytorch, "llama": llama, "mixtral": mixtral, "sentencepiece": sentencepiece}
    run = works[work](shape, threads)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(run()), flush=True)


if __name__ == "__main__":
    main()
