"""Nova in one process: API, conductor, scheduler and a compute service for each node, over oslo.messaging's `fake://`.

``python nova_aio.py PORT``; OS_NOVA_CONFIG_DIR and SWB_NODES say the rest. The bus lives in the process, so all of
Nova ends and starts together.
"""

import nova.monkey_patch

nova.monkey_patch.patch(backend="threading")

import json  # noqa: E402
import os  # noqa: E402
import pathlib  # noqa: E402
import shlex  # noqa: E402
import sys  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import sqlitefix  # noqa: E402


def start(binary, topic, **options):
    from nova import service

    made = service.Service.create(binary=binary, topic=topic, **options)
    made.start()
    return made


def main():
    port = int(sys.argv[1])
    sys.argv[:] = ["nova-api"]
    sqlitefix.apply()
    import nova.virt

    nova.virt.__path__.append(HERE)
    import nova.conf
    import os_brick
    import os_vif
    import waitress
    from nova import context
    from nova import objects
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.objects import host_mapping
    from nova.scheduler import rpcapi as scheduler
    from nova.wsgi import osapi_compute
    from oslo_privsep import priv_context

    conf = nova.conf.CONF
    identity = pathlib.Path(conf.state_path, "compute_id")
    identity.write_text("11111111-1111-4111-8111-111111111111\n")
    priv_context.init(root_helper=shlex.split("sudo"))
    os_brick.setup(conf)
    os_vif.initialize()
    objects.Service.enable_min_version_cache()
    running = [start("nova-conductor", conductor.RPC_TOPIC), start("nova-scheduler", scheduler.RPC_TOPIC)]
    for host in json.loads(os.environ["SWB_NODES"]):
        running.append(start("nova-compute", compute.RPC_TOPIC, host=host, topic_alt=compute.RPC_TOPIC_ALT))
    host_mapping.discover_hosts(context.get_admin_context())
    waitress.serve(osapi_compute.application, host="127.0.0.1", port=port, threads=8)


if __name__ == "__main__":
    main()
