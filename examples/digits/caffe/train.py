# SPDX-License-Identifier: GPL-3.0-or-later
"""The same softmax regression as ../code/train.py, as a Caffe user writes it: a NetSpec, an inner product, a solver.

Not run by us: neither PyPI nor Debian 12 has Caffe. Parameter `solver_mode`: CPU or GPU, as the site's build is.
"""

import json
import os
import tempfile

import caffe
import numpy as np
from caffe import layers
from caffe.proto import caffe_pb2


def network(count, width):
    """Return a NetParameter: all rows are one batch, filled by hand."""
    net = caffe.NetSpec()
    net.data = layers.Input(shape={"dim": [count, width]})
    net.label = layers.Input(shape={"dim": [count]})
    net.score = layers.InnerProduct(net.data, num_output=10, weight_filler={"type": "xavier"})
    net.loss = layers.SoftmaxWithLoss(net.score, net.label)
    return net.to_proto()


def main():
    parameters = json.loads(os.environ.get("SWB_PARAMETERS", "{}"))
    steps, step_size = int(parameters.get("steps", 2000)), float(parameters.get("step_size", 0.5))
    mode = parameters.get("solver_mode", "CPU")
    rows = np.loadtxt(os.environ["SWB_INPUT_DIGITS"], delimiter=",", dtype=np.int64, ndmin=2)
    print(f"caffe {caffe.__version__} on {mode.lower()}", flush=True)
    wanted = caffe_pb2.SolverParameter(
        train_net_param=network(len(rows), rows.shape[1] - 1),
        base_lr=step_size,
        lr_policy="fixed",
        max_iter=steps,
        random_seed=int(parameters.get("seed", 0)),
        solver_mode=caffe_pb2.SolverParameter.SolverMode.Value(mode),
    )
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(str(wanted))
        file.flush()
        solver = caffe.get_solver(file.name)
    solver.net.blobs["data"].data[...] = rows[:, :-1] / 16.0
    solver.net.blobs["label"].data[...] = rows[:, -1]
    step = 0
    while step < steps:
        count = min(100, steps - step)
        solver.step(count)
        step += count
        loss = float(solver.net.blobs["loss"].data)
        progress = {"percent": 100 * step // steps, "step": step, "loss": round(loss, 4)}
        print("swb-progress " + json.dumps(progress), flush=True)
    weights, bias = solver.net.params["score"]
    np.savez(os.path.join(os.environ["SWB_OUTPUT_DIR"], "model.npz"), W=weights.data.T, b=bias.data)
    metrics = {"framework": "caffe", "version": caffe.__version__, "device": mode.lower(), **progress}
    with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "metrics.json"), "w") as file:
        json.dump(metrics, file)


if __name__ == "__main__":
    main()
