# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a model, or predictions, at home. Files from a site are data: nothing in them is executed (no pickle)."""

from __future__ import annotations

import operator
import traceback

from ..module_utils.errors import Corrupt
from ..module_utils.errors import Invalid

try:
    import numpy
except ImportError:
    numpy = None
    NUMPY_IMPORT_ERROR = traceback.format_exc()
else:
    NUMPY_IMPORT_ERROR = None


def measured(path, held_path, wanted):
    """Return (accuracy 0..1, number of rows) of what came home, on what was withheld.

    Method `linear_argmax`: `.npz` with weights (features, classes) and bias (classes,); the prediction is
    argmax(X / divide_by · W + b); the last column of the rows is the label. Method `labels`: a prediction a line, in
    the order of the rows, beside a label a line.
    """
    if wanted["method"] == "labels":
        return _labels(path, held_path)
    return _linear_argmax(path, held_path, wanted)


def _labels(path, held_path):
    with open(held_path, "rb") as stream:
        labels = [line.strip() for line in stream]
    with open(path, "rb") as stream:
        found = [line.strip() for line in stream]
    if len(found) != len(labels) or not labels:
        raise Corrupt(
            f"{path} holds {len(found)} predictions, and there are {len(labels)} rows.",
            way_out="The output must hold one prediction a line, in the order of the rows.",
        )
    return sum(map(operator.eq, found, labels)) / len(labels), len(labels)


def _linear_argmax(model_path, held_path, wanted):
    if numpy is None:
        raise Invalid("NumPy is missing at the controller.", way_out="pip install numpy")
    try:
        with numpy.load(model_path, allow_pickle=False) as model:
            weights, bias = model[wanted["weights"]], model[wanted["bias"]]
        rows = numpy.loadtxt(held_path, delimiter=",", ndmin=2)
        pixels, labels = rows[:, :-1] / float(wanted["divide_by"]), rows[:, -1].astype(int)
        found = (pixels @ weights + bias).argmax(axis=1)
    except (OSError, KeyError, ValueError) as error:
        raise Corrupt(
            f"{model_path} cannot be measured: {error}.",
            way_out="The output must be an .npz with the arrays that the task names under `evaluate`.",
        ) from error
    return float((found == labels).mean()), len(rows)
