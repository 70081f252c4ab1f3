"""The control plane: which function carries out which operation of the API.

Each operation takes the account and the call, and returns the answer or raises RefusedError. What is not in the table
is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lmfunction.local import _control_account as account
from lmfunction.local import _control_aliases as aliases
from lmfunction.local import _control_concurrency as concurrency
from lmfunction.local import _control_event_invoke as event_invoke
from lmfunction.local import _control_functions as functions
from lmfunction.local import _control_layers as layers
from lmfunction.local import _control_permissions as permissions
from lmfunction.local import _control_provisioned as provisioned
from lmfunction.local import _control_tags as tags
from lmfunction.local import _control_versions as versions
from lmfunction.local._calls import Account, Call
from lmfunction.local._http import Answer

Operation = Callable[[Account, Call], Answer]

OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateFunction": functions.create_function,
    "UpdateFunctionCode": functions.update_function_code,
    "UpdateFunctionConfiguration": functions.update_function_configuration,
    "GetFunction": functions.get_function,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "ListFunctions": functions.list_functions,
    "DeleteFunction": functions.delete_function,
    "PublishVersion": versions.publish_version,
    "ListVersionsByFunction": functions.list_versions_by_function,
    "CreateAlias": aliases.create_alias,
    "GetAlias": aliases.get_alias,
    "UpdateAlias": aliases.update_alias,
    "ListAliases": aliases.list_aliases,
    "DeleteAlias": aliases.delete_alias,
    "PutFunctionConcurrency": concurrency.put_function_concurrency,
    "GetFunctionConcurrency": concurrency.get_function_concurrency,
    "DeleteFunctionConcurrency": concurrency.delete_function_concurrency,
    "PutProvisionedConcurrencyConfig": provisioned.put_provisioned_concurrency_config,
    "GetProvisionedConcurrencyConfig": provisioned.get_provisioned_concurrency_config,
    "ListProvisionedConcurrencyConfigs": provisioned.list_provisioned_concurrency_configs,
    "DeleteProvisionedConcurrencyConfig": provisioned.delete_provisioned_concurrency_config,
    "PutFunctionEventInvokeConfig": event_invoke.put_function_event_invoke_config,
    "UpdateFunctionEventInvokeConfig": event_invoke.update_function_event_invoke_config,
    "GetFunctionEventInvokeConfig": event_invoke.get_function_event_invoke_config,
    "ListFunctionEventInvokeConfigs": event_invoke.list_function_event_invoke_configs,
    "DeleteFunctionEventInvokeConfig": event_invoke.delete_function_event_invoke_config,
    "AddPermission": permissions.add_permission,
    "RemovePermission": permissions.remove_permission,
    "GetPolicy": permissions.get_policy,
    "PublishLayerVersion": layers.publish_layer_version,
    "GetLayerVersion": layers.get_layer_version,
    "GetLayerVersionByArn": layers.get_layer_version_by_arn,
    "ListLayerVersions": layers.list_layer_versions,
    "ListLayers": layers.list_layers,
    "DeleteLayerVersion": layers.delete_layer_version,
    "ListTags": tags.list_tags,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "GetAccountSettings": account.get_account_settings,
    "GetFunctionCodeSigningConfig": account.get_function_code_signing_config,
    "GetRuntimeManagementConfig": account.get_runtime_management_config,
    "GetFunctionRecursionConfig": account.get_function_recursion_config,
    "PutFunctionRecursionConfig": account.put_function_recursion_config,
}
