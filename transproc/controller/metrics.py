# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What Prometheus is told. Jobs, nodes and the queue are counted when it asks; tasks as they end."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from transproc import __version__
from transproc.controller.requests.move import Migrate
from transproc.controller.taskrecords import Task, TaskState

if TYPE_CHECKING:
    from transproc.controller.service import Service

DOWNTIMES = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
"""Seconds: from small programs between native nodes to gigabytes over a slow network."""


class Metrics:
    """Of one controller."""

    def __init__(self, service: Service) -> None:
        registry = self._registry = CollectorRegistry()
        self._tasks = Counter(
            "transproc_tasks", "Tasks that have ended.", ["kind", "state"], registry=registry
        )
        self._downtime = Histogram(
            "transproc_migration_downtime_seconds",
            "From a pause to the resume on the new node, of migrations that have succeeded.",
            registry=registry,
            buckets=DOWNTIMES,
        )
        self._bytes = Counter(
            "transproc_migration_bytes", "Sent by migrations that have succeeded.", registry=registry
        )
        registry.register(_Present(service))
        service.tasks.on_end.append(self._task_ended)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def _task_ended(self, task: Task) -> None:
        self._tasks.labels(task.kind, task.state).inc()
        if task.kind == Migrate.kind and task.state is TaskState.DONE:
            self._downtime.observe(task.result["downtime"])
            self._bytes.inc(task.result["bytes_sent"])


class _Present(Collector):
    """What is at the moment when it is asked for."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client says."""
        about = GaugeMetricFamily("transproc_info", "The controller.", labels=["version"])
        about.add_metric([__version__], 1)
        yield about
        listed = [entry.job for entry in self._service.reader.jobs()]
        counts = Tally((job.state, job.node) for job in listed if job is not None)
        yield _gauge("transproc_jobs", "Jobs.", ["state", "node"], counts)
        damaged = GaugeMetricFamily("transproc_jobs_damaged", "Jobs whose record cannot be read.")
        damaged.add_metric([], listed.count(None))
        yield damaged
        live = Tally((task.kind, task.state) for task in self._service.tasks.live())
        yield _gauge("transproc_tasks_live", "Tasks that have not ended.", ["kind", "state"], live)
        up = {(name,): int(state) for name, state in dict(self._service.watch.up).items()}
        yield _gauge("transproc_node_up", "Whether a node with running jobs answers.", ["node"], up)
        listeners = GaugeMetricFamily("transproc_listeners", "Clients that listen to events.")
        listeners.add_metric([], self._service.listeners)
        yield listeners

    def describe(self) -> Iterator[Metric]:
        """Nothing is asked for when the collector is registered."""
        return iter(())


def _gauge(name: str, text: str, labels: list[str], values: Mapping[Any, int]) -> Metric:
    made = GaugeMetricFamily(name, text, labels=labels)
    for words, value in sorted(values.items()):
        made.add_metric([str(word) for word in words], value)
    return made
