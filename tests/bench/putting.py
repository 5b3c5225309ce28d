"""``python -m tests.bench.putting <config> <file> <sha256>``: one `dataset`, present at the lab's site hunan."""

import sys

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.verbs import VERBS


def main(config, source, sha256):
    platform = sites.connect({"config": config, "site": "hunan", "tenant": "demo"})
    params = {"state": "present", "path": "bench/there", "source": source, "sha256": sha256, "rate_kbps": None}
    VERBS["dataset"].run(platform, params, False, lambda event, **fields: None)
    platform.files.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
