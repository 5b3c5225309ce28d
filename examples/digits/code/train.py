# SPDX-License-Identifier: GPL-3.0-or-later
"""Softmax regression on 8×8 digits: full-batch gradient descent in NumPy.

Reads ``$SWB_INPUT_DIGITS`` (CSV, 64 pixels 0..16 and the label last, no header), of which parameters `part` and
`parts` take every so-manieth row, and writes ``$SWB_OUTPUT_DIR/model.npz`` with ``W`` (64, 10) and ``b`` (10,);
prediction is argmax(X/16·W + b).
"""

import json
import os
import sys
import time

import numpy as np


def train(pixels, labels, steps, step_size):
    """Return W (64, 10) and b (10,) after `steps` full-batch steps of size `step_size`."""
    x = pixels / 16.0
    target = np.eye(10)[labels]
    w, b = np.zeros((x.shape[1], 10)), np.zeros(10)
    told = time.monotonic()
    for step in range(1, steps + 1):
        logits = x @ w + b
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits)
        p /= p.sum(axis=1, keepdims=True)
        error = (p - target) / len(x)
        w -= step_size * (x.T @ error)
        b -= step_size * error.sum(axis=0)
        if step == steps or time.monotonic() - told > 0.5:
            told = time.monotonic()
            loss = float(-np.log((p * target).sum(axis=1)).mean())
            progress = {"percent": 100 * step // steps, "step": step, "loss": round(loss, 4)}
            print("swb-progress " + json.dumps(progress), flush=True)
    return w, b


def main():
    rows = np.loadtxt(os.environ["SWB_INPUT_DIGITS"], delimiter=",", dtype=np.int64, ndmin=2)
    parameters = json.loads(os.environ.get("SWB_PARAMETERS", "{}"))
    rows = rows[int(parameters.get("part", 0)) :: int(parameters.get("parts", 1))]
    w, b = train(
        rows[:, :-1].astype(float),
        rows[:, -1],
        steps=int(parameters.get("steps", 2000)),
        step_size=float(parameters.get("step_size", 0.5)),
    )
    np.savez(os.path.join(os.environ["SWB_OUTPUT_DIR"], "model.npz"), W=w, b=b)
    print(f"trained on {len(rows)} rows", flush=True)


if __name__ == "__main__":
    sys.exit(main())
