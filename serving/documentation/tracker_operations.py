"""The addresses to which the trackers of others send events."""

from __future__ import annotations

from serving.collector.protocols.segment import PIXEL_PATHS
from serving.collector.request_schemas import SEGMENT_POSTS, SNOWPLOW_POST
from serving.documentation import answers
from serving.documentation.operations import Operation, Parameter
from serving.documentation.tracker_examples import segment_operation

EVENT_ERRORS = (400, 503)
PIXEL_ERRORS = (400, 413, 503)
PIXEL = "image/gif"

SNOWPLOW = (
    *(
        Operation(
            "post",
            path,
            "Snowplow trackers",
            "collect_snowplow_events",
            summary,
            answers.EventsTaken,
            body=body,
            keys="browser",
            errors=EVENT_ERRORS,
        )
        for path, (summary, body) in SNOWPLOW_POST.items()
    ),
    Operation(
        "get",
        "/i",
        "Snowplow trackers",
        "collect_snowplow_event",
        "Take one event of a Snowplow tracker from the query, and answer with a pixel.",
        PIXEL,
        query=(
            Parameter("e", "Kind of event: pv, pp, se, ue, tr or ti.", has_example=True),
            Parameter("duid", "Id of the device.", has_example=True),
        ),
        keys="browser",
        errors=PIXEL_ERRORS,
    ),
)

SEGMENT = (
    *(
        Operation(
            "post",
            path,
            "Segment libraries",
            segment_operation(path),
            summary,
            answers.CallTaken if is_telemetry else answers.SegmentCallTaken,
            body=body,
            keys="browser",
            errors=EVENT_ERRORS,
        )
        for path, (summary, body, is_telemetry) in SEGMENT_POSTS.items()
    ),
    *(
        Operation(
            "get",
            path,
            "Segment libraries",
            segment_operation(path),
            f"Take one {call} call of a Segment library from the query, and answer with a pixel.",
            PIXEL,
            query=(
                Parameter(
                    "data",
                    "The message as JSON in base64, with the browser key as its `writeKey`.",
                    has_example=True,
                ),
            ),
            keys="browser",
            errors=PIXEL_ERRORS,
        )
        for path, call in PIXEL_PATHS.items()
    ),
)
