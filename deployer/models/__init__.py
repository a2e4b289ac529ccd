"""The tables, their constraints and their guarded updates. No rules."""

from deployer.models.audit import AuditEntry
from deployer.models.catalog import Service, Version
from deployer.models.fleet import Host, Instance
from deployer.models.people import Token, User
from deployer.models.rollouts import Rollout, Step, StepLog
from deployer.models.workers import WorkerRow

__all__ = [
    "AuditEntry",
    "Host",
    "Instance",
    "Rollout",
    "Service",
    "Step",
    "StepLog",
    "Token",
    "User",
    "Version",
    "WorkerRow",
]
