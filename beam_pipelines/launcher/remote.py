"""Whether the job of an earlier launcher still works in an output folder, wherever it runs."""

from __future__ import annotations

from beam_pipelines.launcher.spec import UsageError


def refuse_if_running(left: dict, output: str) -> str:
    """Checks whether the job of an earlier launcher still runs.

    Args:
        left: the note that it left, {} for none.
        output: output folder.

    Returns:
        A line for people when a job was there and is taken over, '' otherwise.

    Raises:
        UsageError: it runs.
    """
    if not left:
        return ''
    return _on_dataflow(left, output) if left.get('engine') == 'dataflow' else _on_flink(left, output)


def _on_flink(left: dict, output: str) -> str:
    from beam_pipelines.launcher.flink.rest import FlinkCluster, Unreachable

    try:
        job = FlinkCluster(left['master']).find_job(left['job'])
    except Unreachable as error:
        # Its workers notice at their next stage that the folder is another run's, and what they write is the same.
        return f"{left['master']}, where the job {left['job']} of this output ran, does not answer ({error}): taken over"
    if job and not job.is_over:
        raise UsageError(f"--output {output} is in use by the Flink job {job.name} ({job.state.lower()}) at "
                         f"{left['master']}: it finishes by itself; wait for it, or cancel it there (job {job.id})")
    return ''


def _on_dataflow(left: dict, output: str) -> str:
    try:
        from beam_pipelines.launcher.dataflow.job_left import job_left

        job = job_left(left)
    except ImportError:
        raise UsageError(f"--output {output} was last written by the Dataflow job {left['job']}; whether it still runs cannot be "
                         "learnt without the extra gcp: pip install 'beam-training-data[gcp]'") from None
    if job and not job.is_over:
        raise UsageError(f"--output {output} is in use by the Dataflow job {job.name} ({job.words}) in {left['region']}: it finishes by "
                         f"itself; follow it with --runner=DataflowRunner, or cancel it with `gcloud dataflow jobs cancel {job.id}`")
    return ''
