"""Times steps of Transformers' Llama with the shapes of step_times.cpp: eager, autocast to bf16, fused AdamW."""
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

BATCH, LENGTH, VOCAB, WARM_UP, STEPS = 16, 1024, 32768, 5, 20

config = LlamaConfig(vocab_size=VOCAB, hidden_size=768, intermediate_size=2048, num_hidden_layers=12,
                     num_attention_heads=12, num_key_value_heads=12, max_position_embeddings=LENGTH,
                     tie_word_embeddings=True, attn_implementation="sdpa")
model = LlamaForCausalLM(config).cuda()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
ids = torch.randint(VOCAB, (BATCH, LENGTH)).cuda()


def step():
    optimizer.zero_grad()
    with torch.autocast("cuda", torch.bfloat16):
        logits = model(ids).logits
    torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids.flatten()).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


for _ in range(WARM_UP):
    step()
torch.cuda.synchronize()
begin = time.perf_counter()
for _ in range(STEPS):
    step()
torch.cuda.synchronize()
seconds = (time.perf_counter() - begin) / STEPS
print(f"llama  {1e3 * seconds:6.1f} ms a step, {BATCH * LENGTH / seconds:7.0f} tokens/s, "
      f"peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
