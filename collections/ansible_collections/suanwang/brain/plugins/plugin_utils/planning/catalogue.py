# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accelerator models: figures with their sources, and the names that platforms use for them.

Figures are dense peaks of one schedulable unit as the platform counts it. None is unknown, and stays so.
Source keys: M1 Ascend MindStudio Modeling device profiles; H1 HAMi and Volcano device configuration for
Ascend (memory, cores); V1 vLLM-Ascend installation pages; L1 launch reports of 2018-10; P1 vendor product
table of Atlas 900 PoD; D1 a public table of NVIDIA datasheet values; D2 a public table of the 4090 and
L20; G1, G2, G3, U1 public notes that quote data sheets; T1 product pages for A800 and H100 PCIe; E1 a
public note with data sheet links (A800 computes like A100); C1 two public tables that agree on L20 and
H20; I1 public pages on H20; K1 measured HGEMM on L20; B1 launch report of 2022-03-21; W1 one user's
page (low trust); Y1 DTK compatibility table; S1 secondary, one source.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Model:
    """kind: npu | gpu | dcu | mlu. memory_gib, tflops_fp16: of one unit; None: no source found."""

    name: str
    kind: str
    vendor: str
    memory_gib: float | None = None
    tflops_fp16: float | None = None
    sources: tuple[str, ...] = ()
    note: str | None = None


_ROWS = (
    ("310p3", "npu", "huawei", 24, None, "H1 V1", "float16 only"),
    ("910a", "npu", "huawei", 32, 256, "L1 P1", "the launch figure; 320 in the pages of 900 PoD"),
    ("910b?", "npu", "huawei", 32, 280, "M1", "no bin is named: the least of the family"),
    ("910b1", "npu", "huawei", 64, None, "S1", "no source separates B1 from B2"),
    ("910b2", "npu", "huawei", 64, 376, "M1 H1", None),
    ("910b3", "npu", "huawei", 64, 313, "M1 H1", None),
    ("910b4", "npu", "huawei", 32, 280, "M1 H1", None),
    ("910b4-1", "npu", "huawei", 64, 280, "M1 H1", None),
    ("910c-die", "npu", "huawei", 64, 280, "M1", "one of two dies; 376 in the faster bin"),
    ("910c", "npu", "huawei", 128, 560, "M1", "package of two dies; 752 in the faster bin"),
    ("v100-16", "gpu", "nvidia", 16, 125, "D1 G1", "SXM2; PCIe 112"),
    ("v100-32", "gpu", "nvidia", 32, 125, "D1 G1", "SXM2; PCIe 112"),
    ("t4", "gpu", "nvidia", 16, 65, "D1 G1", None),
    ("a100-40", "gpu", "nvidia", 40, 312, "D1 U1", None),
    ("a100-80", "gpu", "nvidia", 80, 312, "D1 G2", None),
    ("a800", "gpu", "nvidia", None, 312, "T1 E1", "sold with 40 and 80 GiB; computes like A100"),
    ("a800-40", "gpu", "nvidia", 40, 312, "T1 E1", None),
    ("a800-80", "gpu", "nvidia", 80, 312, "T1 E1", None),
    ("h100-sxm", "gpu", "nvidia", 80, 989, "D1 E1", None),
    ("h100-pcie", "gpu", "nvidia", 80, 756, "T1", None),
    ("h800-sxm", "gpu", "nvidia", 80, 989, "C1", None),
    ("h800-pcie", "gpu", "nvidia", 80, 756, "C1", None),
    ("h20", "gpu", "nvidia", 96, 148, "I1", "also sold with 141 GiB"),
    ("l20", "gpu", "nvidia", 48, 119.5, "C1 K1", "one source reads 59.8 dense; measured 105 to 115"),
    ("rtx4090", "gpu", "nvidia", 24, 165, "G3 D2", "with FP32 accumulate"),
    ("mlu370-x8", "mlu", "cambricon", 48, 96, "B1", "one card of two chips"),
    ("mlu370-s4", "mlu", "cambricon", None, None, "", None),
    ("mlu370-x4", "mlu", "cambricon", None, None, "", None),
    ("k100-ai", "dcu", "hygon", 64, 192, "W1", "low trust"),
    ("k100", "dcu", "hygon", None, None, "Y1", None),
    ("z100", "dcu", "hygon", None, None, "Y1", None),
    ("z100l", "dcu", "hygon", None, None, "Y1", None),
)
MODELS = {row[0]: Model(row[0], row[1], row[2], row[3], row[4], tuple(row[5].split()), row[6]) for row in _ROWS}
KINDS = frozenset(model.kind for model in MODELS.values())

# Native name (lower case) → model. Sources: H1 (Ascend chip names, huawei.com/*, snt9*), M1 (A3), the
# names NVIDIA's driver prints. snt9c is assumed. `ascend910b` alone names no bin.
ALIASES = {
    "huawei.com/ascend910": "910a",
    "ascend-1980": "910a",
    "snt9": "910a",
    "ascend910": "910a",
    "ascend910a": "910a",
    "snt9b": "910b?",
    "910b": "910b?",
    "ascend910b": "910b?",
    "huawei.com/ascend910b": "910b?",
    "snt9b3": "910b3",
    "ascend910b1": "910b1",
    "ascend910b2": "910b2",
    "ascend910b2c": "910b2",
    "ascend910b3": "910b3",
    "ascend910b4": "910b4",
    "ascend910b4-1": "910b4-1",
    "a3": "910c-die",
    "snt9c": "910c-die",
    "ascend310p": "310p3",
    "ascend310p3": "310p3",
    "huawei.com/ascend310p": "310p3",
    "310p": "310p3",
    "snt3p": "310p3",
    "tesla-t4": "t4",
    "tesla-v100-sxm2-16gb": "v100-16",
    "tesla-v100-sxm2-32gb": "v100-32",
    "a100-sxm4-40gb": "a100-40",
    "a100-pcie-40gb": "a100-40",
    "a100-sxm4-80gb": "a100-80",
    "a100-pcie-80gb": "a100-80",
    "a800-sxm4-80gb": "a800-80",
    "h100-sxm5-80gb": "h100-sxm",
    "h100-pcie": "h100-pcie",
}
_DIES = re.compile(r"ascend910_93(62|72|81|82|91|92)")


def model(native):
    """Return the Model that a native or our own name stands for, or None."""
    name = str(native or "").strip().lower().replace(" ", "-")
    name = re.sub(r"^(npu|gpu|dcu|mlu|gres/[a-z]+):", "", name)
    name = re.sub(r"^nvidia-", "", name)
    if _DIES.fullmatch(name):
        name = "910c-die"
    return MODELS.get(ALIASES.get(name, name))


def speed(name, reference):
    """Return how many times as fast as `reference` one unit of `name` is, or None where not known.

    By peak FP16 figures: a start only, which observed run times should override.
    """
    if name is not None and name == reference:
        return Fraction(1)
    ours, theirs = model(name), model(reference)
    if not (ours and theirs and ours.tflops_fp16 and theirs.tflops_fp16):
        return None
    return Fraction(str(ours.tflops_fp16)) / Fraction(str(theirs.tflops_fp16))


@functools.lru_cache(maxsize=4096)
def fits(asked, card):
    """Return whether a pool's card is what was asked for: a model, a kind, any, or a native name."""
    word = (asked or "any").strip().lower()
    if word in ("any", card.kind, card.model.lower(), card.native.lower()):
        return True
    known = model(word)
    return known is not None and known.name == card.model.lower()
