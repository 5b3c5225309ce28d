# SPDX-License-Identifier: GPL-3.0-or-later
"""The same softmax regression as ../code/train.py, as a PyTorch user writes it: a linear layer, SGD, cross entropy.

Takes the accelerator that its framework finds (torch_npu registers `npu`), else the processor.
"""

import json
import os

import numpy as np
import torch


def device():
    for kind in ("npu", "cuda"):
        if hasattr(torch, kind) and getattr(torch, kind).is_available():
            return torch.device(kind)
    return torch.device("cpu")


def main():
    parameters = json.loads(os.environ.get("SWB_PARAMETERS", "{}"))
    steps, step_size = int(parameters.get("steps", 2000)), float(parameters.get("step_size", 0.5))
    torch.manual_seed(int(parameters.get("seed", 0)))
    rows = np.loadtxt(os.environ["SWB_INPUT_DIGITS"], delimiter=",", dtype=np.int64, ndmin=2)
    where = device()
    print(f"torch {torch.__version__} on {where}", flush=True)
    x = torch.tensor(rows[:, :-1] / 16.0, dtype=torch.float32, device=where)
    y = torch.tensor(rows[:, -1], device=where)
    layer = torch.nn.Linear(x.shape[1], 10).to(where)
    optimizer = torch.optim.SGD(layer.parameters(), lr=step_size)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(layer(x), y)
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == steps:
            progress = {"percent": 100 * step // steps, "step": step, "loss": round(loss.item(), 4)}
            print("swb-progress " + json.dumps(progress), flush=True)
    w, b = layer.weight.detach().cpu().numpy().T, layer.bias.detach().cpu().numpy()
    np.savez(os.path.join(os.environ["SWB_OUTPUT_DIR"], "model.npz"), W=w, b=b)
    metrics = {"framework": "pytorch", "version": torch.__version__, "device": str(where), **progress}
    with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "metrics.json"), "w") as file:
        json.dump(metrics, file)


if __name__ == "__main__":
    main()
