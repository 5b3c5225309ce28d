"""The configuration files of a real cluster, as texts. Why each line is there is said beside it.

`hunan` has Ascend-like accelerators that are only counted; `centre-a` has accelerators that are device files.
"""

import os

HOST = os.uname().nodename.partition(".")[0]

HARDWARE = {
    "hunan": {
        "partition": "npu", "nodes": "hn-asc[01-02]", "names": ["hn-asc01", "hn-asc02"],
        "cpus": 192, "memory_mib": 786432, "features": "ascend,910b,kunpeng", "wall": "2-00:00:00",
        "native": "npu:ascend910b", "cards": 8, "tres": "gres/npu,gres/npu:ascend910b", "limit": "gres/npu=16",
        "gres": ["Name=npu Type=ascend910b Count=8 Flags=CountOnly"],
    },
    "centre-a": {
        "partition": "gpu", "nodes": "ca-gpu[01-02]", "names": ["ca-gpu01", "ca-gpu02"],
        "cpus": 64, "memory_mib": 524288, "features": "a800,nvlink", "wall": "1-00:00:00",
        "native": "gpu:a800", "cards": 4, "tres": "gres/gpu,gres/gpu:a800", "limit": "gres/gpu=8",
        # A gpu without device files is dropped; any character device will do.
        "gres": [f"Name=gpu Type=a800 File=/dev/{name}" for name in ("null", "zero", "full", "urandom")],
    },
}  # fmt: skip

SLURM = """\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmUser={user}
SlurmdUser={user}
# loopback only
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
PluginDir={plugins}
# a munged of its own: the clusters are really separate
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={folder}/etc/jwt_hs256.key
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
SwitchType=switch/none
# a node that comes back is idle at once
ReturnToService=2
# believe the hardware below on a small host
SlurmdParameters=config_overrides
SlurmctldTimeout=30
SlurmdTimeout=60
KillWait=5
# short, so that the way over the history is walked; finished jobs are gone within a minute
MinJobAge=30
# REST cannot say it a job
JobRequeue=0
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=512
GresTypes=gpu,npu
{accounting}NodeName={nodes} NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] Sockets=2 \
CoresPerSocket={cores} ThreadsPerCore=1 RealMemory={memory_mib} Feature={features} Gres={native}:{cards} State=UNKNOWN
PartitionName={partition} Nodes={nodes} Default=YES MaxTime={wall} DefaultTime=01:00:00 State=UP
"""
ACCOUNTING = """\
PriorityType=priority/multifactor
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES={tres}
AccountingStorageEnforce=associations,limits,qos,safe
"""
SLURMDBD = """\
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={folder}/etc/jwt_hs256.key
PluginDir={plugins}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
PidFile={folder}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql}
StorageUser=slurm
StoragePass={password}
StorageLoc={database}
"""
# Named, not detected: without a mounted cgroup file system detection ends slurmd, and nothing here uses it.
CGROUP = {True: "CgroupAutomount=no\nCgroupPlugin=cgroup/v1\n", False: "CgroupPlugin=disabled\n"}
# One account for our tenant with a limit, one for strangers; the caller is the only user who can run jobs.
ACCOUNTS = """\
add account demo Description=demonstration Organization=university GrpTRES={limit}
add account physics Description=others Organization=university
add user {user} account=demo
add user {user} account=physics
modify user {user} set DefaultAccount=demo
"""


def is_old(version):
    """Return whether a release ("22.05.8") is one whose slurmrestd has a plugin an API version."""
    return version < "23.11"


def rest_plugins(version, accounting):
    """Return the options that name slurmrestd's plugins, with those of slurmdbd or without."""
    if is_old(version):
        numbers = ("v0.0.36", "v0.0.37", "v0.0.38")
        names = [f"openapi/{one}" for one in numbers] + accounting * [f"openapi/db{one}" for one in numbers]
    else:
        names = ["openapi/slurmctld"] + accounting * ["openapi/slurmdbd"]
    return ["-s", ",".join(names)]


def texts(name, **facts):
    """Return file name → text for the folder ``etc`` of a cluster."""
    row = {**HARDWARE[name], **facts, "name": name, "host": HOST}
    row["cores"] = row["cpus"] // 2
    row["database"] = f"slurm_{name.replace('-', '_')}"
    accounting = ACCOUNTING.format(**row) if facts["accounting"] else ""
    found = {
        "slurm.conf": SLURM.format(**{**row, "accounting": accounting}),
        "gres.conf": "AutoDetect=off\n" + "".join(f"NodeName={row['nodes']} {line}\n" for line in row["gres"]),
        "cgroup.conf": CGROUP[is_old(facts["version"])],
    }
    if facts["accounting"]:
        found["slurmdbd.conf"] = SLURMDBD.format(**row)
    return found
