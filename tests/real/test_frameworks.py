"""A framework that users know, really trained by slurmd, through the same playbooks.

The others take gigabytes and minutes, and are run by ``make frameworks``, which keeps what came of them.
"""

from tests.real import packages
from tests.real import trained

packages.need_slurm()  # else the whole module is skipped, with one line


def test_digits_by_pytorch(slurm, tmp_path):
    found = trained.digits("pytorch", slurm, tmp_path)
    assert found["accuracy"] >= 0.94 and found["rows"] == 360
    assert found["device"] == "cpu"
