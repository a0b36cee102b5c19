"""The JSON bodies, one module for each family; frozen structures with Java's field names in snake_case."""

from __future__ import annotations

import msgspec

from pymq.wire.codes import RequestCode


def request_bodies() -> dict[int, type[msgspec.Struct]]:
    """Which structure a request's body is, by code, where it is JSON. REGISTER_BROKER has more forms: `registration`."""
    from pymq.wire.bodies import assignments, heartbeat, offsets, queuelocks, routes, topics

    return {
        RequestCode.HEART_BEAT: heartbeat.HeartbeatData,
        RequestCode.CHECK_CLIENT_CONFIG: heartbeat.CheckClientRequestBody,
        RequestCode.LOCK_BATCH_MQ: queuelocks.LockBatchRequestBody,
        RequestCode.UNLOCK_BATCH_MQ: queuelocks.UnlockBatchRequestBody,
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: topics.SubscriptionGroupConfig,
        RequestCode.QUERY_DATA_VERSION: topics.DataVersion,
        RequestCode.REGISTER_TOPIC_IN_NAMESRV: routes.TopicRouteData,
        RequestCode.RESET_CONSUMER_CLIENT_OFFSET: offsets.ResetOffsetBody,
        RequestCode.QUERY_ASSIGNMENT: assignments.QueryAssignmentRequestBody,
        RequestCode.SET_MESSAGE_REQUEST_MODE: assignments.SetMessageRequestModeRequestBody,
        RequestCode.BATCH_ACK_MESSAGE: assignments.BatchAckMessageRequestBody,
    }
