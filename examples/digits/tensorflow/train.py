# SPDX-License-Identifier: GPL-3.0-or-later
"""The same softmax regression as ../code/train.py, as a TensorFlow user writes it: a Keras model, compiled and fitted.

Takes the accelerator that its framework finds, else the processor.
"""

import json
import os

import numpy as np
import tensorflow as tf


class Progress(tf.keras.callbacks.Callback):
    """Prints every hundredth step, and the last, with the mean loss since the line before; keeps what it printed."""

    def on_train_batch_end(self, batch, logs=None):
        step, steps = batch + 1, self.params["steps"]
        if step % 100 == 0 or step == steps:
            self.last = {"percent": 100 * step // steps, "step": step, "loss": round(float(logs["loss"]), 4)}
            print("swb-progress " + json.dumps(self.last), flush=True)
            self.model.reset_metrics()


def main():
    parameters = json.loads(os.environ.get("SWB_PARAMETERS", "{}"))
    steps, step_size = int(parameters.get("steps", 2000)), float(parameters.get("step_size", 0.5))
    tf.keras.utils.set_random_seed(int(parameters.get("seed", 0)))
    tf.config.experimental.enable_op_determinism()
    rows = np.loadtxt(os.environ["SWB_INPUT_DIGITS"], delimiter=",", dtype=np.int64, ndmin=2)
    where = tf.config.list_logical_devices()[-1].device_type.lower()
    print(f"tensorflow {tf.__version__} on {where}", flush=True)
    x, y = (rows[:, :-1] / 16.0).astype("float32"), rows[:, -1]
    # Each batch is all rows.
    batches = tf.data.Dataset.from_tensors((x, y)).repeat(steps)
    model = tf.keras.Sequential([tf.keras.Input(shape=(x.shape[1],)), tf.keras.layers.Dense(10)])
    model.compile(
        optimizer=tf.keras.optimizers.SGD(learning_rate=step_size),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    progress = Progress()
    model.fit(batches, verbose=0, callbacks=[progress])
    w, b = model.layers[-1].get_weights()
    np.savez(os.path.join(os.environ["SWB_OUTPUT_DIR"], "model.npz"), W=w, b=b)
    metrics = {"framework": "tensorflow", "version": tf.__version__, "device": where, **progress.last}
    with open(os.path.join(os.environ["SWB_OUTPUT_DIR"], "metrics.json"), "w") as file:
        json.dump(metrics, file)


if __name__ == "__main__":
    main()
