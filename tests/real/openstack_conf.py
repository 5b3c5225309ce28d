"""The configuration of a real OpenStack of one user on loopback: SQLite, no broker, no hypervisor, no network agent."""

import configparser
import io

#: what the cloud is made of: two Kunpeng nodes with eight Ascend 910B each, a Kunpeng node and an x86-64 one without
NODES = {
    "gen1": {"arch": "x86_64", "cpu": 64, "memory_mib": 262144, "disk_gib": 2000, "traits": ["HW_ARCH_X86_64"]},
    "kp1": {"arch": "aarch64", "cpu": 128, "memory_mib": 524288, "disk_gib": 4000, "traits": ["CUSTOM_ARCH_AARCH64"]},
    **{
        f"npu{n}": {"arch": "aarch64", "cpu": 192, "memory_mib": 786432, "disk_gib": 8000,
                    "resources": {"CUSTOM_NPU_ASCEND910B": 8},
                    "traits": ["CUSTOM_ARCH_AARCH64", "CUSTOM_ZONE_HUAWEI_AI"]}
        for n in (1, 2)
    },
}  # fmt: skip
#: zone → hosts
ZONES = {"az-ai": ["npu1", "npu2"], "az-general": ["gen1", "kp1"]}
FLAVORS = {
    "npu4": {"vcpus": 32, "ram": 131072, "disk": 100,
             "extra": {"resources:CUSTOM_NPU_ASCEND910B": "4", "trait:CUSTOM_ZONE_HUAWEI_AI": "required"}},
    "npu1": {"vcpus": 8, "ram": 32768, "disk": 50,
             "extra": {"resources:CUSTOM_NPU_ASCEND910B": "1", "trait:CUSTOM_ZONE_HUAWEI_AI": "required"}},
    "kp.small": {"vcpus": 4, "ram": 8192, "disk": 20,
                 "extra": {"trait:CUSTOM_ARCH_AARCH64": "required", "trait:CUSTOM_ZONE_HUAWEI_AI": "forbidden"}},
    "g1.small": {"vcpus": 2, "ram": 4096, "disk": 20,
                 "extra": {"trait:CUSTOM_ARCH_AARCH64": "forbidden"}},
}  # fmt: skip
SERVICES = ("keystone", "placement", "glance", "neutron", "nova")
DATABASES = ("keystone", "placement", "glance", "neutron", "nova_api", "nova", "nova_cell0")


def write(folder, ports, password, max_limit=1000):
    """Write ``folder/etc/<service>/…`` and return the environment in which the services find it."""
    for path in ("etc", "db", "log", "keys", "images", "state", "lib"):
        (folder / path).mkdir(parents=True, exist_ok=True)
    url = {name: f"sqlite:///{folder}/db/{name}.db" for name in DATABASES}
    auth = {
        "auth_type": "password", "auth_url": f"http://127.0.0.1:{ports['keystone']}/v3", "username": "svc",
        "password": password, "project_name": "service", "user_domain_name": "Default",
        "project_domain_name": "Default", "region_name": "RegionOne",
    }  # fmt: skip
    token = {**auth, "www_authenticate_uri": f"http://127.0.0.1:{ports['keystone']}/v3"}
    locks = {"lock_path": str(folder / "state")}
    whole = {
        "keystone/keystone.conf": {
            "DEFAULT": {}, "database": {"connection": url["keystone"]},
            # bcrypt at its usual strength takes seconds of this for every service's login
            "identity": {"password_hash_rounds": 4},
            "token": {"expiration": 3600},
            "fernet_tokens": {"key_repository": f"{folder}/keys/fernet"},
            "fernet_receipts": {"key_repository": f"{folder}/keys/receipts"},
            "credential": {"key_repository": f"{folder}/keys/credential"},
            "cache": {"enabled": True, "backend": "oslo_cache.dict"},
        },
        "placement/placement.conf": {
            "DEFAULT": {}, "placement_database": {"connection": url["placement"], "sync_on_startup": True},
            "api": {"auth_strategy": "keystone"}, "keystone_authtoken": {**token, "service_type": "placement"},
        },
        "glance/glance-api.conf": {
            "DEFAULT": {"enabled_backends": "fs:file"}, "database": {"connection": url["glance"]},
            "glance_store": {"default_backend": "fs"},
            "fs": {"filesystem_store_datadir": f"{folder}/images/main"},
            "os_glance_staging_store": {"filesystem_store_datadir": f"{folder}/images/staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": f"{folder}/images/tasks"},
            "paste_deploy": {"flavor": "keystone"}, "keystone_authtoken": {**token, "service_type": "image"},
            "oslo_concurrency": locks,
        },
        "neutron/neutron.conf": {
            "DEFAULT": {"core_plugin": "ml2", "service_plugins": "router", "transport_url": "fake:///",
                        "state_path": f"{folder}/state", "notify_nova_on_port_status_changes": False,
                        "notify_nova_on_port_data_changes": False,
                        "api_paste_config": f"{folder}/etc/neutron/api-paste.ini"},
            "database": {"connection": url["neutron"]},
            "keystone_authtoken": {**token, "service_type": "network"},
            "ml2": {"type_drivers": "local", "tenant_network_types": "local", "mechanism_drivers": "swb_everything",
                    "extension_drivers": ""},
            "oslo_concurrency": locks,
        },
        "nova/nova.conf": {
            "DEFAULT": {"transport_url": "fake:///", "compute_driver": "poolvirt.PoolDriver", "host": "ctl",
                        "my_ip": "127.0.0.1", "state_path": f"{folder}/state", "report_interval": 10,
                        "service_down_time": 60, "vif_plugging_is_fatal": False, "vif_plugging_timeout": 0,
                        "use_cow_images": False},
            "api_database": {"connection": url["nova_api"]}, "database": {"connection": url["nova"]},
            "api": {"max_limit": max_limit, "auth_strategy": "keystone"},
            "wsgi": {"api_paste_config": f"{folder}/etc/nova/api-paste.ini"},
            "keystone_authtoken": {**token, "service_type": "compute"},
            "service_user": {**auth, "send_service_user_token": True},
            "placement": auth, "neutron": {**auth, "endpoint_override": f"http://127.0.0.1:{ports['neutron']}"},
            "glance": {"api_servers": f"http://127.0.0.1:{ports['glance']}", "num_retries": 1},
            "cinder": auth, "scheduler": {"workers": 1}, "conductor": {"workers": 1}, "vnc": {"enabled": False},
            "filter_scheduler": {"track_instance_changes": False}, "oslo_concurrency": locks,
        },
    }  # fmt: skip
    for name, sections in whole.items():
        _ini(folder / "etc" / name, sections)
    _entry_point(folder / "lib")
    return {f"OS_{name.upper()}_CONFIG_DIR": str(folder / "etc" / name) for name in SERVICES} | {
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf", "PYTHONPATH": str(folder / "lib"), "no_proxy": "127.0.0.1",
        "HOME": str(folder / "state"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
    }  # fmt: skip


def _ini(path, sections):
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    for section, rows in sections.items():
        if section != "DEFAULT":
            parser.add_section(section)
        for key, value in rows.items():
            parser.set(section, key, str(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    with io.StringIO() as text:
        parser.write(text)
        path.write_text(text.getvalue())


def _entry_point(folder):
    """Let Neutron find our mechanism driver by its name, as if it were an installed package."""
    about = folder / "swb_everything-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: swb-everything\nVersion: 1.0\n")
    driver = "swb_everything = bindport:BindEverything\n"
    (about / "entry_points.txt").write_text(f"[neutron.ml2.mechanism_drivers]\n{driver}")
