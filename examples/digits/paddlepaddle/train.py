# SPDX-License-Identifier: GPL-3.0-or-later
"""The same softmax regression as ../code/train.py, as a PaddlePaddle user writes it: a linear layer and SGD.

Takes the accelerator that its framework was built for (`npu` by its plug-in), else the processor.
"""

import json
import os

import numpy as np
import paddle


def main():
    parameters = json.loads(os.environ.get("SWB_PARAMETERS", "{}"))
    steps, step_size = int(parameters.get("steps", 2000)), float(parameters.get("step_size", 0.5))
    paddle.seed(int(parameters.get("seed", 0)))
    rows = np.loadtxt(os.environ["SWB_INPUT_DIGITS"], delimiter=",", dtype=np.int64, ndmin=2)
    if "npu" in paddle.device.get_all_custom_device_type():
        paddle.device.set_device("npu")
    where = paddle.device.get_device()
    print(f"paddle {paddle.__version__} on {where}", flush=True)
    x = paddle.to_tensor(rows[:, :-1] / 16.0, dtype="float32")
    y = paddle.to_tensor(rows[:, -1])
    layer = paddle.nn.Linear(x.shape[1], 10)
    criterion = paddle.nn.CrossEntropyLoss()
    optimizer = paddle.optimizer.SGD(learning_rate=step_size, parameters=layer.parameters())
    for step in range(1, steps + 1):
        loss = criterion(layer(x), y)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        if step % 100 == 0 or step == steps:
            progress = {"percent": 100 * step // steps, "step": step, "loss": round(loss.item(), 4)}
            print("swb-progress " + json.dumps(progress), flush=True)
    w, b = layer.weight.numpy(), layer.bias.numpy()
    np.savez(os.path.join(os.environ["SWB_OUTPUT_DIR"], "model.npz"), W=w, b=b)
    metrics = {"framework": "paddlepaddle", "version": paddle.__version__, "device": where, **progress}
    with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "metrics.json"), "w") as file:
        json.dump(metrics, file)


if __name__ == "__main__":
    main()
