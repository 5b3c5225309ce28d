# SPDX-License-Identifier: GPL-3.0-or-later
"""The same softmax regression as ../code/train.py, as a MindSpore user writes it: a dense cell, SGD, a compiled step.

Takes the accelerator that its framework was built for, else the processor.
"""

import json
import os

import mindspore
import numpy as np
from mindspore import nn
from mindspore import Tensor


def main():
    parameters = json.loads(os.environ.get("SWB_PARAMETERS", "{}"))
    steps, step_size = int(parameters.get("steps", 2000)), float(parameters.get("step_size", 0.5))
    mindspore.set_seed(int(parameters.get("seed", 0)))
    rows = np.loadtxt(os.environ["SWB_INPUT_DIGITS"], delimiter=",", dtype=np.int64, ndmin=2)
    where = mindspore.get_context("device_target").lower()
    print(f"mindspore {mindspore.__version__} on {where}", flush=True)
    x = Tensor(rows[:, :-1] / 16.0, mindspore.float32)
    y = Tensor(rows[:, -1], mindspore.int32)
    network = nn.Dense(x.shape[1], 10)
    criterion = nn.CrossEntropyLoss()
    optimizer = nn.SGD(network.trainable_params(), learning_rate=step_size)

    def forward(x, y):
        return criterion(network(x), y)

    value_and_gradients = mindspore.value_and_grad(forward, None, optimizer.parameters)

    @mindspore.jit
    def train_step(x, y):
        loss, gradients = value_and_gradients(x, y)
        optimizer(gradients)
        return loss

    network.set_train()
    for step in range(1, steps + 1):
        loss = train_step(x, y)
        if step % 100 == 0 or step == steps:
            progress = {"percent": 100 * step // steps, "step": step, "loss": round(float(loss.asnumpy()), 4)}
            print("swb-progress " + json.dumps(progress), flush=True)
    w, b = network.weight.asnumpy().T, network.bias.asnumpy()
    np.savez(os.path.join(os.environ["SWB_OUTPUT_DIR"], "model.npz"), W=w, b=b)
    metrics = {"framework": "mindspore", "version": mindspore.__version__, "device": where, **progress}
    with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "metrics.json"), "w") as file:
        json.dump(metrics, file)


if __name__ == "__main__":
    main()
