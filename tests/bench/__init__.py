"""``make bench``: what things cost, as ratios against a peer or a limit measured in the same run.

The checkout's collections are put on the path here, so that `python -m tests.bench` needs no PYTHONPATH.
"""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTIONS = str(CHECKOUT / "collections")
if COLLECTIONS not in sys.path:
    sys.path.insert(0, COLLECTIONS)
