"""The operations of the Lambda API by method and path, whether or not they are here: one table for routing and errors.

Source: the service model of botocore (`lambda`, service-2). A braced word of a path is a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

# Paths by date; two operations that share a path are told apart by a query parameter, which stands behind the path.
_TABLE: Final = """
2014-11-13
 POST functions/{}/invoke-async InvokeAsync
2015-03-31
 GET functions ListFunctions
 POST functions CreateFunction
 GET functions/{} GetFunction
 DELETE functions/{} DeleteFunction
 POST functions/{}/invocations Invoke
 GET functions/{}/configuration GetFunctionConfiguration
 PUT functions/{}/configuration UpdateFunctionConfiguration
 PUT functions/{}/code UpdateFunctionCode
 GET functions/{}/versions ListVersionsByFunction
 POST functions/{}/versions PublishVersion
 GET functions/{}/aliases ListAliases
 POST functions/{}/aliases CreateAlias
 GET functions/{}/aliases/{} GetAlias
 PUT functions/{}/aliases/{} UpdateAlias
 DELETE functions/{}/aliases/{} DeleteAlias
 GET functions/{}/policy GetPolicy
 POST functions/{}/policy AddPermission
 DELETE functions/{}/policy/{} RemovePermission
 GET event-source-mappings ListEventSourceMappings
 POST event-source-mappings CreateEventSourceMapping
 GET event-source-mappings/{} GetEventSourceMapping
 PUT event-source-mappings/{} UpdateEventSourceMapping
 DELETE event-source-mappings/{} DeleteEventSourceMapping
2016-08-19
 GET account-settings GetAccountSettings
2017-03-31
 GET tags/{} ListTags
 POST tags/{} TagResource
 DELETE tags/{} UntagResource
2017-10-31
 PUT functions/{}/concurrency PutFunctionConcurrency
 DELETE functions/{}/concurrency DeleteFunctionConcurrency
2018-10-31
 GET layers ListLayers
 GET layers?find GetLayerVersionByArn
 GET layers/{}/versions ListLayerVersions
 POST layers/{}/versions PublishLayerVersion
 GET layers/{}/versions/{} GetLayerVersion
 DELETE layers/{}/versions/{} DeleteLayerVersion
 GET layers/{}/versions/{}/policy GetLayerVersionPolicy
 POST layers/{}/versions/{}/policy AddLayerVersionPermission
 DELETE layers/{}/versions/{}/policy/{} RemoveLayerVersionPermission
2019-09-25
 GET functions/{}/event-invoke-config GetFunctionEventInvokeConfig
 PUT functions/{}/event-invoke-config PutFunctionEventInvokeConfig
 POST functions/{}/event-invoke-config UpdateFunctionEventInvokeConfig
 DELETE functions/{}/event-invoke-config DeleteFunctionEventInvokeConfig
 GET functions/{}/event-invoke-config/list ListFunctionEventInvokeConfigs
2019-09-30
 GET functions/{}/concurrency GetFunctionConcurrency
 GET functions/{}/provisioned-concurrency GetProvisionedConcurrencyConfig
 GET functions/{}/provisioned-concurrency?List ListProvisionedConcurrencyConfigs
 PUT functions/{}/provisioned-concurrency PutProvisionedConcurrencyConfig
 DELETE functions/{}/provisioned-concurrency DeleteProvisionedConcurrencyConfig
2020-04-22
 GET code-signing-configs ListCodeSigningConfigs
 POST code-signing-configs CreateCodeSigningConfig
 GET code-signing-configs/{} GetCodeSigningConfig
 PUT code-signing-configs/{} UpdateCodeSigningConfig
 DELETE code-signing-configs/{} DeleteCodeSigningConfig
 GET code-signing-configs/{}/functions ListFunctionsByCodeSigningConfig
2020-06-30
 GET functions/{}/code-signing-config GetFunctionCodeSigningConfig
 PUT functions/{}/code-signing-config PutFunctionCodeSigningConfig
 DELETE functions/{}/code-signing-config DeleteFunctionCodeSigningConfig
2021-07-20
 GET functions/{}/runtime-management-config GetRuntimeManagementConfig
 PUT functions/{}/runtime-management-config PutRuntimeManagementConfig
2021-10-31
 GET functions/{}/url GetFunctionUrlConfig
 POST functions/{}/url CreateFunctionUrlConfig
 PUT functions/{}/url UpdateFunctionUrlConfig
 DELETE functions/{}/url DeleteFunctionUrlConfig
 GET functions/{}/urls ListFunctionUrlConfigs
2021-11-15
 POST functions/{}/response-streaming-invocations InvokeWithResponseStream
2024-08-31
 GET functions/{}/recursion-config GetFunctionRecursionConfig
 PUT functions/{}/recursion-config PutFunctionRecursionConfig
2025-11-30
 GET functions/{}/function-scaling-config GetFunctionScalingConfig
 PUT functions/{}/function-scaling-config PutFunctionScalingConfig
 GET capacity-providers ListCapacityProviders
 POST capacity-providers CreateCapacityProvider
 GET capacity-providers/{} GetCapacityProvider
 PUT capacity-providers/{} UpdateCapacityProvider
 DELETE capacity-providers/{} DeleteCapacityProvider
 GET capacity-providers/{}/function-versions ListFunctionVersionsByCapacityProvider
2025-12-01
 GET functions/{}/durable-executions ListDurableExecutionsByFunction
 GET durable-executions/{} GetDurableExecution
 DELETE durable-executions/{} DeleteDurableExecution
 GET durable-executions/{}/history GetDurableExecutionHistory
 GET durable-executions/{}/state GetDurableExecutionState
 POST durable-executions/{}/checkpoint CheckpointDurableExecution
 POST durable-executions/{}/pause PauseDurableExecution
 POST durable-executions/{}/resume ResumeDurableExecution
 POST durable-executions/{}/stop StopDurableExecution
 POST durable-execution-callbacks/{}/fail SendDurableExecutionCallbackFailure
 POST durable-execution-callbacks/{}/heartbeat SendDurableExecutionCallbackHeartbeat
 POST durable-execution-callbacks/{}/succeed SendDurableExecutionCallbackSuccess
2026-07-09
 GET resource-policy/{} GetResourcePolicy
 PUT resource-policy/{} PutResourcePolicy
 DELETE resource-policy/{} DeleteResourcePolicy
"""


def operations() -> Iterator[tuple[str, str, str]]:
    """Every operation: its method, its path (`/2015-03-31/functions/{}`, perhaps with `?parameter`) and its name."""
    date = ""
    for line in _TABLE.splitlines():
        if line.startswith(" "):
            method, path, name = line.split()
            yield method, f"/{date}/{path}", name
        else:
            date = line


class Routes:
    """Finds the operation of a request. A path is looked up by its shape: parameters are every second segment."""

    def __init__(self) -> None:
        self._methods: dict[str, dict[str, str]] = {}
        for method, path, name in operations():
            self._methods.setdefault(path, {})[method] = name

    def methods(self, segments: list[str], query: str) -> dict[str, str] | None:
        """The operations of the path made of `segments`, by method; None when Lambda has no such path.

        `segments` are the date, the family and what follows it.
        """
        shape = "/".join("{}" if i > 1 and i % 2 == 0 else segment for i, segment in enumerate(segments))
        found = self._methods.get(f"/{shape}")
        if found is None and shape.endswith("/{}"):  # the one path that ends in a word of its own: .../list
            found = self._methods.get(f"/{shape.removesuffix('{}')}{segments[-1]}")
        for parameter in ("find", "List"):
            if f"{parameter}=" in query:
                found = self._methods.get(f"/{shape}?{parameter}", found)
        return found
