"""The job of a note that an earlier launcher has left."""

from __future__ import annotations

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from beam_pipelines.launcher.dataflow.api import DataflowApi, Job, Refused, Unreachable
from beam_pipelines.launcher.spec import UsageError


def api_of(left: dict) -> DataflowApi:
    """The API that the job was submitted to."""
    options = PipelineOptions([])
    cloud = options.view_as(GoogleCloudOptions)
    cloud.project, cloud.region, cloud.no_auth = left['project'], left['region'], bool(left.get('no_auth'))
    cloud.dataflow_endpoint = left.get('endpoint') or cloud.dataflow_endpoint
    return DataflowApi(options)


def job_left(left: dict) -> Job | None:
    """The job of a note, None where Dataflow knows none.

    Raises:
        UsageError: whether it runs cannot be learnt.
    """
    try:
        api = api_of(left)
        return (api.job(left['id']) if left.get('id') else None) or api.find(left['job'], left['run'])
    except (Unreachable, Refused) as error:
        raise UsageError(f"whether the Dataflow job {left['job']} of this output still runs cannot be learnt ({error}): try again") from None
