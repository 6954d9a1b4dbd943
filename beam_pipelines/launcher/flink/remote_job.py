"""RemoteJob: a job on a cluster by its name, and the note of it in the work folder that keeps others out."""

from __future__ import annotations

import time

from beam_pipelines.launcher import note
from beam_pipelines.launcher.flink.rest import FlinkCluster, Job, Unreachable

_LOST_POLLS = 5
_ON_ITS_WAY_SECONDS = 3.0


class RemoteJob:
    """One submission of a run.

    Args:
        cluster: where.
        name: unique name of the job there.
        work: work folder, where the note is kept.
    """

    def __init__(self, cluster: FlinkCluster, name: str, work: str) -> None:
        self.name = name
        self._cluster, self._work = cluster, work
        self._id = ''
        self._missed = 0
        self._state = ''

    def remember(self) -> None:
        """Leaves a note, so that the next launcher finds the job."""
        note.save(self._work, {'master': self._cluster.master, 'job': self.name})

    def forget(self) -> None:
        """Removes what was remembered of the job, so that the folder counts as free."""
        note.delete(self._work)

    def poll(self) -> Job | None:
        """The job as it is now, None as long as the cluster does not know it.

        Raises:
            Unreachable: the cluster does not answer.
        """
        listed = self._cluster.find_job(self.name)
        if listed is None:
            self._missed += bool(self._id)
            return None
        self._id, self._missed = listed.id, 0
        job = listed if listed.is_over else self._cluster.job(listed.id)
        self._state = job.state
        return job

    @property
    def is_running(self) -> bool:
        """Whether it was running at the last poll."""
        return bool(self._id) and not self._missed and self._state not in ('FINISHED', 'FAILED', 'CANCELED')

    @property
    def is_lost(self) -> bool:
        """Whether the cluster knew it once and does not any more."""
        return self._missed >= _LOST_POLLS

    def failures(self) -> list[str]:
        """Stack traces of its exceptions as the JobManager gives them, newest first."""
        try:
            return self._cluster.failures(self._id) if self._id else []
        except Unreachable:
            return []

    def busy_hosts(self) -> list[str]:
        """Hosts of the TaskManagers that are at work on it."""
        try:
            return self._cluster.busy_hosts(self._id) if self._id else []
        except (Unreachable, KeyError):
            return []

    def cancel(self, seconds: float) -> bool:
        """Cancels it and waits for that; False when it has not ended within so many seconds.

        A job that was never seen may be on its way: it is given a moment to appear.
        """
        start = time.monotonic()
        asked = False
        while time.monotonic() < start + seconds:
            try:
                job = self._cluster.find_job(self.name)
                if job and job.is_over or not job and (self._id or time.monotonic() > start + _ON_ITS_WAY_SECONDS):
                    return True
                if not job:
                    time.sleep(0.5)
                    continue
                self._id = job.id
                if not asked:
                    self._cluster.cancel(job.id)
                    asked = True
            except Unreachable:
                pass  # it may answer again before the time is up
            time.sleep(0.5)
        return False

    def asked_once(self) -> bool:
        """Whether the cluster knows it, asked now unless that is clear."""
        try:
            return self.was_seen or self.poll() is not None
        except Unreachable:
            return self.was_seen

    @property
    def was_seen(self) -> bool:
        """Whether the cluster ever knew it."""
        return bool(self._id)
