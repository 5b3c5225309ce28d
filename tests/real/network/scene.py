"""What the product sees on the paths of `topology`, as JSON: ``python -m tests.real.network.scene FOLDER``, inside."""

import json
import sys

from ansible_collections.suanwang.brain.plugins.module_utils import sites
from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError
from ansible_collections.suanwang.brain.plugins.module_utils.http import Http
from ansible_collections.suanwang.brain.plugins.module_utils.verbs.path import PATH_INFO
from tests.real.network.topology import SITES
from tests.real.network.topology import Topology

B, C = SITES
ONE_WAY_MS = 40


def main(folder):
    topology = Topology(folder)
    config = sites.load(str(topology.config))

    def look(site, endpoint="api", hops=False):
        params = {"config": str(topology.config), "site": site, "endpoint": endpoint, "tenant": None, "address": None,
                  "port": None, "via": None, "hops": hops, "rate": False}  # fmt: skip
        return PATH_INFO.run(sites.connect(params, True), params, False, None)["paths"][0]

    def ask(site, path="/who"):
        record = config.site(site)
        http = Http(record, record.endpoint("api"), config.folder)
        try:
            return http.request("GET", path, timeout_s=5).body
        finally:
            http.close()

    def follow(site, url):
        record = config.site(site)
        return ask(site, Http(record, record.endpoint("api"), config.folder).foreign_url(url))

    found = {"plain": {site: look(site, hops=True) for site in SITES}}
    found["answers"] = {site: [ask(site) for _ in range(4)] for site in SITES}
    found["followed"] = {site: follow(site, found["answers"][site][0]["next"]) for site in SITES}
    try:
        follow(B, f"https://{SITES[C][0]}:18443/who")
        found["foreign"] = None
    except BrainError as error:
        found["foreign"] = str(error)
    found["empty"], found["silent"] = look(B, "empty"), look(B, "silent")
    topology.line(B, delay_ms=ONE_WAY_MS)
    look(B)  # the first asks the neighbours for their hardware addresses
    found["delayed"] = [look(B) for _ in range(3)]
    found["beside"] = [look(C) for _ in range(3)]
    topology.line(B, cut=True)
    found["cut"], found["beside cut"] = look(B), look(C)
    topology.line(B)
    found["healed"] = look(B)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
