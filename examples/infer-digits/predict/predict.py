# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch inference: the digit in each row of ``$SWB_INPUT_SECOND`` (CSV, 64 pixels), one a line, in their order.

``$SWB_INPUT_MODEL`` holds ``W`` and ``b``; the digit is argmax(X/16·W + b). Writes ``$SWB_OUTPUT_DIR/digits.csv``.
"""

import os
import sys

import numpy as np


def main():
    rows = np.loadtxt(os.environ["SWB_INPUT_SECOND"], delimiter=",", ndmin=2)
    with np.load(os.environ["SWB_INPUT_MODEL"], allow_pickle=False) as model:
        found = (rows / 16.0 @ model["W"] + model["b"]).argmax(axis=1)
    np.savetxt(os.path.join(os.environ["SWB_OUTPUT_DIR"], "digits.csv"), found, fmt="%d")
    print(f"predicted {len(found)} rows", flush=True)


if __name__ == "__main__":
    sys.exit(main())
