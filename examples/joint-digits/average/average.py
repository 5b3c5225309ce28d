# SPDX-License-Identifier: GPL-3.0-or-later
"""The average of models of one shape: ``$SWB_INPUT_<NAME>`` each in, ``$SWB_OUTPUT_DIR/model.npz`` out."""

import os
import sys

import numpy as np


def main():
    paths = sorted(path for name, path in os.environ.items() if name.startswith("SWB_INPUT_"))
    models = [np.load(path, allow_pickle=False) for path in paths]
    np.savez(
        os.path.join(os.environ["SWB_OUTPUT_DIR"], "model.npz"),
        **{name: np.mean([model[name] for model in models], axis=0) for name in ("W", "b")},
    )
    print(f"averaged {len(models)} models", flush=True)


if __name__ == "__main__":
    sys.exit(main())
